/** What every check does with a backend that misbehaves: it settles in time, and leaves nothing open. */
import assert from "node:assert/strict";
import { checks } from "../../../health/registry.ts";
import { TcpBackend, until, writeAll } from "../../support/backends.ts";
import { checkOnce } from "../../support/checks.ts";
import { freePort, pause } from "../../support/clients.ts";

const LIMIT_MS = 300;
/** What a loaded machine may add. */
const SLACK_MS = 1_500;

/** Backends that misbehave, by how. None reads what it is sent unless it says so. */
const BACKENDS: Readonly<Record<string, ((conn: Deno.TcpConn) => Promise<void>) | undefined>> = {
  refuses: undefined,
  "accepts and never answers": async (conn) => await untilGone(conn),
  "closes at once": () => Promise.resolve(),
  "resets": () => pause(30), // what was sent in the meantime is unread when it closes
  "answers garbage": async (conn) => {
    await writeAll(conn, Uint8Array.from({ length: 512 }, (_, i) => i * 89 & 255));
    await untilGone(conn);
  },
  "never stops answering": async (conn) => {
    for (;;) await writeAll(conn, new Uint8Array(65_536).fill(120));
  },
  "answers a byte at a time": async (conn) => {
    for (;;) {
      await writeAll(conn, Uint8Array.of(120));
      await pause(10);
    }
  },
};

/** Reads until the client has gone. */
async function untilGone(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  while (await conn.read(buffer) !== null);
}

type Case = {
  readonly what: string;
  readonly keys: Record<string, unknown>;
  /** The backends with which it passes; with all others it fails. */
  readonly passes?: readonly string[];
};

const accepted = Object.keys(BACKENDS).filter((name) => name !== "refuses");
const probe = { kind: "probe", probe_protocol: "tcp", probe_send: "PING", probe_recv: "PONG" };

/** Every check, with keys that a healthy backend would satisfy. */
const CASES: readonly Case[] = [
  { what: "ping", keys: { kind: "ping" }, passes: accepted },
  { what: "probe", keys: probe },
  {
    what: "probe that sends nothing and matches",
    keys: {
      ...probe,
      probe_send: "",
      probe_strategy: "regexp",
      probe_recv: "x{4}",
      probe_recv_len: 900,
    },
    passes: ["never stops answering", "answers a byte at a time"],
  },
  {
    what: "probe that reads much and never matches",
    keys: { ...probe, probe_strategy: "regexp", probe_recv: "^(x+x+)+y", probe_recv_len: 65_536 },
  },
  { what: "probe by TLS", keys: { ...probe, probe_protocol: "tls" } },
  {
    what: "probe by TLS without verification",
    keys: { ...probe, probe_protocol: "tls", probe_tls_insecure: true },
  },
  // by UDP nobody of them is met: nothing listens there, which is silence
  { what: "probe by UDP", keys: { ...probe, probe_protocol: "udp" } },
  { what: "http", keys: { kind: "http" } },
  { what: "http with a body", keys: { kind: "http", http_body_contains: "ok" } },
  { what: "https", keys: { kind: "https" } },
  { what: "agent", keys: { kind: "agent" } },
  { what: "agent that is told something", keys: { kind: "agent", agent_send: "web\n" } },
  // it asks a program and not the backend, so that all it can meet here is its time limit
  { what: "exec", keys: { kind: "exec", exec_command: ["sleep", "60"] } },
];

for (const { what, keys, passes = [] } of CASES) {
  for (const [how, serve] of Object.entries(BACKENDS)) {
    const passed = passes.includes(how);
    Deno.test(`${what} ${passed ? "passes" : "fails"} in time where the backend ${how}`, async () => {
      await using backend = serve && new TcpBackend(serve);
      const port = backend?.port ?? freePort();
      const all = keys["kind"] === "agent" ? { ...keys, agent_port: port } : keys;
      const since = performance.now();
      const result = await checkOnce(port, all, LIMIT_MS);
      const took = performance.now() - since;
      assert.equal(result.passed, passed, result.text);
      assert.notEqual(result.text, "");
      assert.equal(result.ours ?? false, false);
      assert.equal(result.unclear ?? false, false);
      assert(took < LIMIT_MS + SLACK_MS, `it took ${took} ms`);
      if (backend) await until(() => backend.open === 0, 5_000, "the end of its connection");
    });
  }
}

Deno.test("every check is in the contract suite", () => {
  const covered = new Set(CASES.map(({ keys }) => keys["kind"]));
  assert.deepEqual([...covered].sort(), checks.names().sort());
});

for (const kind of checks.all()) {
  Deno.test(`${kind.name} does nothing when it is told to stop before it begins`, async () => {
    await using backend = new TcpBackend(untilGone);
    const { what: _, keys } = CASES.find(({ keys }) => keys["kind"] === kind.name)!;
    const all = kind.name === "agent" ? { ...keys, agent_port: backend.port } : keys;
    assert.equal((await checkOnce(backend.port, all, -1)).passed, false);
    assert.equal(backend.count, 0);
  });
}
