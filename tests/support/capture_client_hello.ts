/**
 * Records the first bytes that a program sends to a port, as hex:
 *
 *     deno run --no-prompt -N -R -W=tests/fixtures --allow-run tests/support/capture_client_hello.ts NAME COMMAND…
 *
 * writes tests/fixtures/client_hello/NAME.hex. `{port}` in the command is the port on 127.0.0.1; the first connection
 * counts. The program is ended when it has said nothing for half a second.
 */
import { fromFileUrl } from "./paths.ts";

const QUIET_MS = 500;
const [name, ...command] = Deno.args;
if (name === undefined || command.length === 0) {
  console.error("capture_client_hello.ts: nothing to run\nname a fixture and a command");
  Deno.exit(2);
}

using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const filled = command.map((word) => word.replaceAll("{port}", String(listener.addr.port)));
const child = new Deno.Command(filled[0]!, {
  args: filled.slice(1),
  stdin: "piped",
  stdout: "null",
  stderr: "null",
}).spawn();

using conn = await listener.accept();
const buffer = new Uint8Array(1 << 16);
let filledTo = 0;
for (;;) {
  const quiet = new Promise<null>((resolve) => setTimeout(resolve, QUIET_MS, null));
  const count = await Promise.race([conn.read(buffer.subarray(filledTo)), quiet]);
  if (count === null) break;
  filledTo += count;
}
child.kill();

const lines = buffer.subarray(0, filledTo).toHex().match(/.{1,96}/g) ?? [];
const quote = (word: string) => word.includes("'") ? `"${word}"` : `'${word}'`;
const shown = command.map((word) => /^[\w./:=@,{}-]+$/.test(word) ? word : quote(word)).join(" ");
const file = fromFileUrl(new URL(`../fixtures/client_hello/${name}.hex`, import.meta.url));
await Deno.writeTextFile(file, `# ${shown}\n${lines.join("\n")}\n`);
console.log(`${filledTo} bytes in ${name}.hex`);
Deno.exit(0);
