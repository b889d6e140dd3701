import assert from "node:assert/strict";
import { portKey } from "../../../../lib/address.ts";
import {
  findPredecessor,
  isThere,
  portsIn,
  portsOf,
  tellPredecessor,
} from "../../../../lib/host/takeover.ts";
import type { StartError } from "../../../../lib/errors.ts";

/** A process, and a pid file that names it. */
async function started(program: string, ...args: string[]) {
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command(program, { args, stdout: "piped", stderr: "null" }).spawn();
  const pidFile = `${folder}/pid`;
  await Deno.writeTextFile(pidFile, `${child.pid}\n`);
  const reader = child.stdout.getReader();
  return {
    child,
    pidFile,
    /** What it prints next. */
    says: async () => new TextDecoder().decode((await reader.read()).value),
    async [Symbol.asyncDispose]() {
      if (isThere(child.pid)) Deno.kill(child.pid, "SIGKILL");
      await reader.cancel();
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("findPredecessor() never picks a program that SIGUSR2 would end", async () => {
  await using sleep = await started("sleep", "60");
  assert.throws(() => findPredecessor(sleep.pidFile), (error: StartError) => {
    assert.equal(
      error.message,
      `process ${sleep.child.pid} of ${sleep.pidFile} isn't a twixt that can be taken over`,
    );
    return error.hint.includes("remove the pid file");
  });
});

Deno.test("findPredecessor() finds one that listens to SIGUSR2, and tellPredecessor() reaches it", async () => {
  const code = `
    Deno.addSignalListener("SIGUSR2", () => { console.log("told"); Deno.exit(0); });
    console.log("up"); setTimeout(() => {}, 60_000);`;
  await using twixt = await started(Deno.execPath(), "eval", code);
  assert.equal(await twixt.says(), "up\n");
  assert.equal(findPredecessor(twixt.pidFile), twixt.child.pid);
  assert(tellPredecessor(twixt.child.pid));
  assert.equal(await twixt.says(), "told\n");
  await twixt.child.status;
  assert.equal(findPredecessor(twixt.pidFile), undefined);
  assert.equal(tellPredecessor(twixt.child.pid), false);
});

Deno.test("findPredecessor() of no file, an empty one or our own number is nobody; of a text an error", async () => {
  const file = await Deno.makeTempFile();
  assert.equal(findPredecessor(`${file}.none`), undefined);
  assert.equal(findPredecessor(file), undefined);
  await Deno.writeTextFile(file, String(Deno.pid));
  assert.equal(findPredecessor(file), undefined);
  await Deno.writeTextFile(file, "[servers.web]");
  assert.throws(() => findPredecessor(file), /holds something else than a process id/);
  await Deno.remove(file);
});

Deno.test("portsIn() reads the ports of one process, of both families, in what ss prints", () => {
  const said = `
LISTEN 0 4096 127.0.0.1:3000 0.0.0.0:* users:(("twixt",pid=71,fd=20),("twixt",pid=71,fd=21))
LISTEN 0 511          *:8888        *:* users:(("twixt",pid=71,fd=22))
LISTEN 0 4096     [::1]:53       [::]:* users:(("dns",pid=7,fd=3))
LISTEN 0 4096   0.0.0.0:80    0.0.0.0:* users:(("nginx",pid=710,fd=3))
LISTEN 0 4096   0.0.0.0:81    0.0.0.0:*
`;
  assert.deepEqual([...portsIn(said, 71, "tcp")], ["tcp 3000", "tcp 8888"]);
  assert.deepEqual([...portsIn(said, 7, "udp")], ["udp 53"]);
  assert.deepEqual([...portsIn("", 71, "tcp")], []);
});

Deno.test("portsOf() finds a port of this process", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ports = await portsOf(Deno.pid);
  assert(ports === undefined || ports.has(portKey("tcp", listener.addr.port)));
});
