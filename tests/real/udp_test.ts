/** Real clients and servers of datagrams: DNS by dnsmasq, kdig and dnsperf, TFTP by dnsmasq and curl. */
import assert from "node:assert/strict";
import { needs, run } from "../support/real.ts";
import { Twixt } from "../support/twixt.ts";
import { Folder } from "./_daemon.ts";
import { Dnsmasq } from "./_dnsmasq.ts";

const dns = needs(["dnsmasq", "setpriv", "kdig", "dnsperf"]);
const tftp = needs(["dnsmasq", "setpriv", "curl"]);

const RATE = 5_000;
const SECONDS = 60;
/** Most that may be lost above a direct run, as a share. */
const LOST = 0.0001;

/** Twixt with one server of datagrams in front of these, and TCP on the same port. */
function balanced(backends: readonly string[], more: Record<string, unknown> = {}): Promise<Twixt> {
  const discovery = { kind: "static", static_list: backends };
  const udp = { bind: "127.0.0.1:0", protocol: "udp", balance: "roundrobin", discovery, ...more };
  return Twixt.start({
    config: { api: { enabled: true, bind: "127.0.0.1:0" }, servers: { udp } },
  });
}

/** Queries that were sent and lost, by what dnsperf says. */
async function dnsperf(port: number, folder: string): Promise<{ sent: number; lost: number }> {
  const file = `${folder}/queries`;
  const names = Array.from({ length: 100 }, (_, i) => `host${i}.test A`);
  await Deno.writeTextFile(file, names.join("\n"));
  const options = ["-d", file, "-l", SECONDS, "-Q", RATE, "-c", 20, "-q", 500];
  const said = await run(["dnsperf", "-s", "127.0.0.1", "-p", port, ...options]);
  const number = (what: string) => Number(new RegExp(`${what}:\\s+(\\d+)`).exec(said)?.[1]);
  return { sent: number("Queries sent"), lost: number("Queries lost") };
}

Deno.test(
  "udp: kdig gets each answer from a balanced server's address, from each backend",
  dns,
  async () => {
    await using folder = await Folder.make();
    await using one = await Dnsmasq.start(folder, ["host-record=who.test,10.0.0.1"]);
    await using two = await Dnsmasq.start(folder, ["host-record=who.test,10.0.0.2"]);
    await using twixt = await balanced([one.address, two.address], { udp: { max_responses: 1 } });
    const ask = async () => {
      const options = ["+short", "+timeout=2", "+retry=0", "@127.0.0.1", "-p", twixt.port("udp")];
      return (await run(["kdig", ...options, "who.test"])).trim();
    };
    const answers = [];
    for (let i = 0; i < 10; i++) answers.push(await ask());
    assert.equal(answers.filter((answer) => answer === "10.0.0.1").length, 5);
    assert.equal(answers.filter((answer) => answer === "10.0.0.2").length, 5);
    assert.equal((await twixt.stats("udp")).active_connections, 0);
  },
);

Deno.test(`udp: dnsperf at ${RATE} queries a second loses no more through it than without`, {
  ...dns,
  timeout: 200_000,
}, async () => {
  await using folder = await Folder.make();
  const records = Array.from({ length: 100 }, (_, i) => `host-record=host${i}.test,10.0.0.${i}`);
  await using one = await Dnsmasq.start(folder, records);
  await using two = await Dnsmasq.start(folder, records);
  await using twixt = await balanced([one.address, two.address]);
  const through = await dnsperf(twixt.port("udp"), folder.path);
  const direct = await dnsperf(one.port, folder.path);
  console.log(
    `dnsperf, ${SECONDS} s: ${through.lost} of ${through.sent} lost, ` +
      `directly ${direct.lost} of ${direct.sent}`,
  );
  assert.ok(through.sent > 0.99 * RATE * SECONDS, `${through.sent} sent`);
  const above = through.lost / through.sent - direct.lost / direct.sent;
  assert.ok(above <= LOST, `${above}`);
  const { backends, dropped } = await twixt.stats("udp");
  assert.deepEqual(dropped, { oversize: 0, unsent: 0, evicted: 0 });
  for (const { stats } of backends) assert.equal(stats.total_connections, 10);
});

Deno.test(
  "udp: TFTP follows the port that the server answers from, and its client stays with it",
  tftp,
  async () => {
    await using folder = await Folder.make();
    const root = (name: string) => `${folder.path}/${name}`;
    const content: Record<string, string> = {};
    const serve = async (name: string) => {
      await Deno.mkdir(root(name));
      content[name] = `${name} `.repeat(40_000);
      await Deno.writeTextFile(`${root(name)}/file`, content[name]);
      return ["enable-tftp", `tftp-root=${root(name)}`, "tftp-no-fail"];
    };
    // TFTP's port can't be chosen: each has an address of its own
    const lines = { one: await serve("one"), two: await serve("two") };
    await using _one = await Dnsmasq.start(folder, lines.one, { hostname: "127.0.0.11", port: 53 });
    await using _two = await Dnsmasq.start(folder, lines.two, { hostname: "127.0.0.12", port: 53 });
    await using twixt = await balanced(["127.0.0.11:69", "127.0.0.12:69"], {
      udp: { key: "ip", follow_port: true },
    });
    const get = () => run(["curl", "-s", "-m", 20, `tftp://127.0.0.1:${twixt.port("udp")}/file`]);
    const files = [await get(), await get(), await get()];
    assert.ok(Object.values(content).includes(files[0]!), `${files[0]!.length} characters`);
    for (const file of files) assert.ok(file === files[0], "another backend than before");
    assert.equal((await twixt.stats("udp")).active_connections, 3);
  },
);
