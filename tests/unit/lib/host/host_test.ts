import assert from "node:assert/strict";
import { descriptorBudget } from "../../../../lib/host/budget.ts";
import { hostFacts, openDescriptors, parseFacts } from "../../../../lib/host/facts.ts";
import { writePidFile } from "../../../../lib/host/pid_file.ts";
import { StartError } from "../../../../lib/errors.ts";

Deno.test.each([
  {
    text: "1024\n20000\n212992\n150000 100000\n",
    facts: {
      ...{ softDescriptors: 1024, hardDescriptors: 20_000 },
      ...{ receiveBuffer: 212_992, quotaCores: 2 },
    },
  },
  {
    text: "unlimited\nunlimited\nunknown\nmax 100000\n",
    facts: {
      ...{ softDescriptors: 1 << 20, hardDescriptors: 1 << 20 },
      ...{ receiveBuffer: undefined, quotaCores: undefined },
    },
  },
  {
    text: "",
    facts: {
      ...{ softDescriptors: undefined, hardDescriptors: undefined },
      ...{ receiveBuffer: undefined, quotaCores: undefined },
    },
  },
])("parseFacts() reads $text", ({ text, facts }) => assert.deepEqual(parseFacts(text), facts));

Deno.test("hostFacts() and openDescriptors() know something about this host", async () => {
  assert.ok((await hostFacts()).softDescriptors! > 10);
  assert.ok((await openDescriptors())! > 3);
});

Deno.test.each([
  { limit: 256, open: 40, sessions: 72, api: 12, checks: 8 },
  { limit: 20_000, open: 60, sessions: 9636, api: 128, checks: 256 },
  { limit: undefined, open: 40, sessions: 446, api: 16, checks: 16 },
  { limit: 64, open: 60, sessions: 1, api: 12, checks: 8 },
])(
  "descriptorBudget() of $limit descriptors, $open open: $sessions sessions",
  ({ limit, open, ...budget }) => {
    assert.deepEqual(descriptorBudget(limit, open), budget);
  },
);

Deno.test("descriptorBudget() keeps some for unfinished handshakes, a quarter at most", () => {
  const sessions = (handshakes: number) => descriptorBudget(4096, 100, handshakes).sessions;
  assert.equal(sessions(0) - sessions(100), 50);
  assert.equal(sessions(0) - sessions(1_000_000), 512);
});

Deno.test("a pid file is written, refused to a second process, taken over from a dead one, and removed", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/twixt.pid`;
  {
    using _file = writePidFile(path);
    assert.equal(await Deno.readTextFile(path), `${Deno.pid}\n`);
  }
  await assert.rejects(Deno.stat(path));
  const other = new Deno.Command("sleep", { args: ["60"] }).spawn();
  await Deno.writeTextFile(path, `${other.pid}\n`); // it has got a dead one's number, but isn't this program
  writePidFile(path)[Symbol.dispose]();
  other.kill("SIGKILL");
  await other.status;
  const wait = 'setTimeout(() => {}, 60_000); console.log("up")';
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", wait], stdout: "null" }).spawn();
  await Deno.writeTextFile(path, `${child.pid}\n`);
  assert.throws(() => writePidFile(path), (error: StartError) => {
    assert.equal(error.message, `pid file ${path}: process ${child.pid} is running`);
    return error.hint !== "";
  });
  child.kill("SIGKILL");
  await child.status;
  writePidFile(path)[Symbol.dispose]();
  await Deno.writeTextFile(path, "[servers.web]");
  assert.throws(() => writePidFile(path), /holds something else than a process id/);
  assert.equal(await Deno.readTextFile(path), "[servers.web]");
  await Deno.writeTextFile(path, "");
  {
    using _file = writePidFile(path);
    await Deno.writeTextFile(path, "1"); // another one's by now
  }
  assert.equal(await Deno.readTextFile(path), "1");
  assert.throws(() => writePidFile(`${folder}/no/such/twixt.pid`), StartError);
  await Deno.remove(folder, { recursive: true });
});
