/** Which process is which: a number alone is another one's soon. */
import type { RunProgram } from "./program.ts";
import { TimeLimit } from "../time_limit.ts";

/** Processes that run, and where their numbers count. */
export type ProcessStarts = {
  /** The namespace of the numbers, by its own number; `0` where nobody can tell. */
  readonly namespace: string;
  /** When each of them started, in ticks since the system did. Who has ended isn't there. */
  readonly starts: ReadonlyMap<number, number>;
};

/** Prints the namespace, then a line for each process that runs. */
const SCRIPT = `
readlink /proc/self/ns/pid || echo
for pid in "$@"; do
  read -r line 2>/dev/null <"/proc/$pid/stat" || continue
  rest=\${line##*) } # from the state on; names may hold anything
  case "$rest" in Z* | X*) continue ;; esac
  echo "$pid $(echo "$rest" | cut -d ' ' -f 20)"
done
echo end
`;

const LIMIT_MS = 5_000;

/** Asks about these processes. It never throws: undefined where nobody has told, which isn't that nobody runs. */
export async function processStarts(
  run: RunProgram,
  pids: readonly number[],
): Promise<ProcessStarts | undefined> {
  using limit = new TimeLimit(LIMIT_MS);
  const argv = ["sh", "-c", SCRIPT, "sh", ...pids.map(String)];
  const ran = await run(argv, limit.signal).catch(() => undefined);
  return parseStarts(ran?.stdout ?? "");
}

/** Reads what the script prints; undefined where that isn't all of it. Pure. */
export function parseStarts(text: string): ProcessStarts | undefined {
  if (!text.endsWith("end\n")) return undefined;
  const [first = "", ...lines] = text.split("\n");
  const found = lines.map((line) => /^(\d+) (\d+)$/.exec(line)).filter((each) => each !== null);
  return {
    namespace: /\[(\d+)\]/.exec(first)?.[1] ?? "0",
    starts: new Map(found.map(([, pid, start]) => [Number(pid), Number(start)])),
  };
}
