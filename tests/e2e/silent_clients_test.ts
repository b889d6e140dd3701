/** A TLS server under thousands of clients that say nothing, stop halfway, or don't read, and good ones among them. */
import assert from "node:assert/strict";
import { readAll, TcpBackend, until, writeAll } from "../support/backends.ts";
import { Authority } from "../support/certificates.ts";
import { works } from "../support/host.ts";
import { startBadClients } from "../support/load/load_process.ts";
import { needs } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";

const needed = needs(["openssl"]);
const options = {
  ignore: needed.ignore ||
    !works('h=$(ulimit -Hn); [ "$h" = unlimited ] || [ "$h" -ge 16384 ]'),
  timeout: 180_000,
};

const ATTACK = { silent: 5_000, halfway: 1_000, deaf: 200 };
const GOOD_EVERY_MS = 100;
const GOOD_LIMIT_MS = 5_000;
const LONG = new Uint8Array(64 << 20);

/** Says hello, or, if asked, more than buffers hold. */
function backendOf(): TcpBackend {
  return new TcpBackend(async (conn) => {
    const asked = new Uint8Array(8);
    await conn.read(asked);
    const long = new TextDecoder().decode(asked).startsWith("long");
    await writeAll(conn, long ? LONG : new TextEncoder().encode("hello"));
  });
}

/** One full handshake, one question, its answer. */
async function served(port: number, ca: string): Promise<boolean> {
  let conn: Deno.TlsConn | undefined;
  const late = setTimeout(() => conn?.close(), GOOD_LIMIT_MS);
  try {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    conn = await Deno.startTls(tcp, { hostname: "localhost", caCerts: [ca] });
    await writeAll(conn, new TextEncoder().encode("short\n"));
    return new TextDecoder().decode(await readAll(conn)) === "hello";
  } catch {
    return false;
  } finally {
    clearTimeout(late);
    try {
      conn?.close();
    } catch {
      // it was late
    }
  }
}

/** Good clients for a while, at their times. How many there were, and how many were served. */
async function goodClients(port: number, ca: string, ms: number) {
  const asked: Promise<boolean>[] = [];
  for (const end = performance.now() + ms; performance.now() < end;) {
    asked.push(served(port, ca));
    await new Promise((resolve) => setTimeout(resolve, GOOD_EVERY_MS));
  }
  const answers = await Promise.all(asked);
  return { all: answers.length, good: answers.filter(Boolean).length };
}

/** Starts a TLS server whose parts the stack closes. `ca` is the file of its authority. */
async function startTls(stack: AsyncDisposableStack, guard: string, wrap?: string) {
  const folder = stack.use(new TemporaryFolder());
  const { ca, ...pair } = await madeIn(folder.path);
  const backend = stack.use(backendOf());
  const twixt = stack.use(
    await Twixt.start({
      config: {
        workers: 2,
        api: { enabled: true, bind: "127.0.0.1:0" },
        servers: { web: { ...staticServer([backend]), tls: { ...pair, guard } } },
      },
      ...wrap === undefined ? {} : { wrap },
    }),
  );
  return { twixt, port: twixt.port("web"), caFile: ca, ca: await Deno.readTextFile(ca) };
}

async function madeIn(folder: string) {
  const authority = await Authority.make(folder);
  const { cert, key } = await authority.issue("a", { names: ["localhost"] });
  return { ca: authority.ca, cert_path: cert, key_path: key };
}

async function attacked(guard: string, descriptors: number, seconds: number) {
  await using stack = new AsyncDisposableStack();
  const wrap = `ulimit -n ${descriptors} && exec {}`;
  const { twixt, port, ca, caFile } = await startTls(stack, guard, wrap);
  assert(await served(port, ca));
  const before = await twixt.descriptors();
  let most = 0;
  const watch = setInterval(async () => most = Math.max(most, await twixt.descriptors()), 2_000);
  let result: { all: number; good: number };
  {
    await using bad = await startBadClients(port, ATTACK, caFile);
    result = await goodClients(port, ca, 1_000 * seconds);
    const { refused, guarded_workers } = await twixt.stats("web");
    const { connections } = await bad.stop();
    clearInterval(watch);
    const { all, good } = result;
    const share = (100 * good / all).toFixed(1);
    console.log(
      `guard ${guard}, ${descriptors} descriptors: ${good} of ${all} good clients served (${share} %) among ` +
        `${connections} bad ones; at most ${most} descriptors, ${guarded_workers} workers guarded; ` +
        JSON.stringify(refused),
    );
  }
  assert(most < descriptors, `${most} descriptors`);
  await until(() => served(port, ca), 10_000, "a client after the attack");
  await until(
    async () => {
      const { unfinished_handshakes, active_connections } = await twixt.stats("web");
      return unfinished_handshakes === 0 && active_connections === 0;
    },
    10_000,
    "the end of all that they have left",
  );
  await twixt.descriptorsReturn(before + 2); // while it is guarded, listeners stand behind the hops
  assert.deepEqual(twixt.lines.filter(({ level }) => level === "error"), []);
  return { result, twixt };
}

for (const limit of [16_384, 4_096]) {
  Deno.test(
    `silent clients don't keep good ones away, with ${limit} descriptors`,
    options,
    async () => {
      const { result: { all, good } } = await attacked("auto", limit, 60);
      assert(good >= 0.98 * all, `${good} of ${all}`);
    },
  );
}

Deno.test(
  "without a guard silent clients end nothing, and all is well once they leave",
  options,
  async () => {
    await attacked("never", 4_096, 20);
  },
);

Deno.test("500 honest handshakes a second don't bring the guard", options, async () => {
  await using stack = new AsyncDisposableStack();
  const { twixt, port, ca } = await startTls(stack, "auto");
  const asked: Promise<boolean>[] = [];
  const since = performance.now();
  for (let i = 0; i < 1_500; i++) {
    const due = since + 2 * i - performance.now();
    if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
    asked.push(served(port, ca));
  }
  const rate = asked.length / (performance.now() - since) * 1000;
  const answers = await Promise.all(asked);
  console.log(`${Math.round(rate)} handshakes a second, ${answers.filter(Boolean).length} served`);
  assert(answers.every(Boolean));
  assert(!twixt.lines.some(({ msg }) => msg.includes("TLS is guarded")));
});
