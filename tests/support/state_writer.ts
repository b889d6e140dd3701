/**
 * A program that writes a state file again and again and prints the number of each write that is done, for tests that
 * kill it: `state_writer.ts FILE FIRST`.
 */
import { StateFile } from "../../lib/host/state_file.ts";
import { NO_STATE, type State } from "../../lib/state.ts";

/** Enough to take several blocks on the disk; longer and shorter in turn. */
const BACKENDS = [400, 4_000, 40];

/** The state of write `n`: all of it says so. */
export function stateOf(n: number): State {
  const count = BACKENDS[n % BACKENDS.length]!;
  const backends = Array.from({ length: count }, (_, i) => [`host-${i}:80`, { weight: n }]);
  return { ...NO_STATE, overlay: { servers: {}, backends: { web: Object.fromEntries(backends) } } };
}

if (import.meta.main) {
  const [path, first] = Deno.args;
  const file = new StateFile(path!);
  for (let n = Number(first);; n++) {
    file.write(stateOf(n));
    Deno.stdout.writeSync(new TextEncoder().encode(`${n}\n`));
  }
}
