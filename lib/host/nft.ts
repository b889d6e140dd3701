/** nftables' program. */
import { messageOf } from "../errors.ts";
import { runAdmin } from "./admin_program.ts";
import { MissingProgramError, type Ran, type RunProgram } from "./program.ts";

/** nft couldn't do what it was told. */
export class NftError extends Error {
  /** For logs. */
  override readonly name = "NftError";
  /** `hint` is what to do, where that is known. */
  constructor(message: string, readonly hint: string | undefined, cause?: unknown) {
    super(message, { cause });
  }
}

/** The kernel's rules. */
export type Nft = {
  /** Does all that a text in nftables' JSON says, or nothing. @throws NftError */
  apply(commands: string): Promise<void>;
  /** All counters that have names, in nftables' JSON. @throws NftError */
  counters(): Promise<string>;
};

/** What a service needs that isn't root. */
const REMEDY = "run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN";

/** The rules of the network that this process is in. */
export function nftBy(run: RunProgram): Nft {
  const nft = async (args: readonly string[], input?: string): Promise<string> => {
    const ran = await runAdmin(run, ["nft", ...args], input).catch((error) => {
      throw notRun(error);
    });
    if (ran.code !== 0) throw refused(ran);
    return ran.stdout;
  };
  return {
    apply: async (commands) => void await nft(["-j", "-f", "-"], commands),
    counters: () => nft(["-j", "list", "counters"]),
  };
}

function notRun(error: unknown): NftError {
  const hint = error instanceof MissingProgramError ? "apt-get install -y nftables" : undefined;
  const why = error instanceof MissingProgramError ? "there is no program nft" : messageOf(error);
  return new NftError(why, hint, error);
}

function refused({ code, ended, stderr }: Ran): NftError {
  const [line = ""] = stderr.split("\n").filter((each) => each.trim() !== "");
  const why = line === "" ? `nft ended with ${ended ?? code}` : `nft says: ${line.trim()}`;
  return new NftError(why, /not permitted|denied/i.test(stderr) ? REMEDY : undefined);
}
