/** Programs of administrators, which speak with the kernel for us: this process can't. */
import { TimeLimit } from "../time_limit.ts";
import { type Argv, MissingProgramError, type Ran, type RunProgram } from "./program.ts";

/** Longest run of one of them. */
const LIMIT_MS = 10_000;
/** 10,000 backends have 30,000 counters. */
const MAX_OUTPUT_BYTES = 16 << 20;
/** Where they are, which isn't in an ordinary user's PATH. */
const FOLDER = "/usr/sbin/";

/**
 * Runs one to its end.
 * @throws MissingProgramError, and Error where it can't be started or takes too long.
 */
export async function runAdmin(run: RunProgram, argv: Argv, input?: string): Promise<Ran> {
  using limit = new TimeLimit(LIMIT_MS);
  const options = {
    maxOutputBytes: MAX_OUTPUT_BYTES,
    ...input === undefined ? {} : { input },
  };
  try {
    return await run(argv, limit.signal, options);
  } catch (error) {
    if (!(error instanceof MissingProgramError)) throw error;
    const [program, ...args] = argv;
    return await run([`${FOLDER}${program}`, ...args], limit.signal, options);
  }
}
