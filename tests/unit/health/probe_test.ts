import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError, printProblem } from "../../../lib/errors.ts";
import { expectPattern, expectStart } from "../../../health/_expectation.ts";
import { TcpBackend, writeAll } from "../../support/backends.ts";
import { checkOnce, checkSpec } from "../../support/checks.ts";
import { pause } from "../../support/clients.ts";
import { hasIPv6 } from "../../support/host.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const TCP = { kind: "probe", probe_protocol: "tcp", probe_send: "PING", probe_recv: "PONG" };

Deno.test("a probe decides the same however the answer is cut into pieces", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
  fc.assert(fc.property(letters, letters.filter((text) => text !== ""), (came, wanted) => {
    const whole = expectStart(bytes(wanted), wanted).verdict(bytes(came), true);
    assert.equal(whole, came.startsWith(wanted));
    const verdict = expectStart(bytes(wanted), wanted).verdict(bytes(came), false);
    assert.equal(verdict, whole || (wanted.startsWith(came) ? undefined : false));
  }));
});

Deno.test("expectPattern() looks at the last of a long answer, though not at each drop of it", () => {
  const { verdict } = expectPattern("end$", 65_536);
  const answer = bytes("x".repeat(10_000) + "end");
  assert.equal(verdict(answer.subarray(0, 9_990), false), undefined);
  assert.equal(verdict(answer, false), undefined, "only 13 more");
  assert.equal(verdict(answer, true), true);
});

Deno.test.each([
  { answer: ["PO", "NG"], recv: "PONG", passed: true, text: "answered as expected" },
  { answer: ["PONG and more"], recv: "PONG", passed: true, text: "answered as expected" },
  { answer: ["POXX"], recv: "PONG", passed: false, text: 'answered "POXX", expected "PONG"' },
  { answer: ["PO"], recv: "PONG", passed: false, text: 'answered "PO", expected "PONG"' },
  { answer: [], recv: "PONG", passed: false, text: "closed without an answer" },
  { answer: ["\u0000\n"], recv: String.raw`\x00\n`, passed: true, text: "answered as expected" },
])("probe: $answer where $recv is expected: $passed", async ({ answer, recv, passed, text }) => {
  await using backend = new TcpBackend(async (conn) => {
    assert.equal(await conn.read(new Uint8Array(4)), 4);
    for (const part of answer) {
      if (part !== answer[0]) await pause(20);
      await writeAll(conn, bytes(part));
    }
  });
  assert.deepEqual(await checkOnce(backend.port, { ...TCP, probe_recv: recv }), { passed, text });
});

Deno.test("a pattern passes as soon as it matches, without the rest of probe_recv_len", async () => {
  await using backend = new TcpBackend(async (conn) => {
    await writeAll(conn, bytes("220 mail.example ESMTP\r\n"));
    await conn.read(new Uint8Array(1));
  });
  const keys = { ...TCP, probe_strategy: "regexp", probe_recv: "^220 .*(?i:smtp)" };
  const since = performance.now();
  const result = await checkOnce(backend.port, { ...keys, probe_recv_len: 500 }, 10_000);
  assert.deepEqual(result, { passed: true, text: "answered as expected" });
  assert(performance.now() - since < 5_000);
  const short = await checkOnce(backend.port, { ...keys, probe_recv_len: 8 });
  assert.deepEqual(short, {
    passed: false,
    text: 'answered "220 mail", expected a match of "^220 .*(?i:smtp)"',
  });
});

Deno.test.each([
  { hostname: "127.0.0.1", ignore: false },
  { hostname: "::1", ignore: !hasIPv6 },
])(
  "a probe by UDP gathers datagrams of $hostname, and of nobody else",
  async ({ hostname, ignore }) => {
    if (ignore) return;
    using backend = listenUdp(hostname);
    using stranger = listenUdp(hostname);
    const serving = (async () => {
      const [, from] = await backend.socket.receive();
      await stranger.socket.send(bytes("HELLO"), from);
      for (const part of ["PO", "NG"]) await backend.socket.send(bytes(part), from);
    })();
    const target = { host: hostname, address: hostname, port: backend.port };
    const result = await checkOnce(target, { ...TCP, probe_protocol: "udp" });
    await serving;
    assert.deepEqual(result, { passed: true, text: "answered as expected" });
  },
);

Deno.test("a probe by UDP fails where nobody answers", async () => {
  using backend = listenUdp("127.0.0.1");
  const silent = await checkOnce(backend.port, { ...TCP, probe_protocol: "udp" }, 100);
  assert.deepEqual(silent, { passed: false, text: "no answer in time" });
});

function listenUdp(hostname: string) {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  return { socket, port, [Symbol.dispose]: () => socket.close() };
}

Deno.test.each([
  { keys: { probe_recv: 'a"b' }, says: "probe_recv: has a quote at 2 that isn't escaped" },
  { keys: { probe_send: "\\z" }, says: "probe_send: has no valid escape at 1" },
  { keys: { probe_recv_len: 3 }, says: "probe_recv_len: 3 is not the length of probe_recv" },
  { keys: { probe_recv_len: -1 }, says: "probe_recv_len: -1 is too small" },
  { keys: { probe_recv_len: 65_537 }, says: "probe_recv_len: 65537 is too large" },
  { keys: { probe_strategy: "regexp" }, says: "probe_recv_len: is missing" },
  {
    keys: { probe_strategy: "regexp", probe_recv: "(a", probe_recv_len: 1 },
    says: 'probe_recv: "(a" is not a pattern: missing closing ): `(a`',
  },
  { keys: { probe_strategy: "exact" }, says: 'probe_strategy: "exact" is not possible here' },
  { keys: { probe_protocol: "sctp" }, says: 'probe_protocol: "sctp" is not possible here' },
  { keys: { probe_protocol: undefined }, says: "probe_protocol: is missing" },
  { keys: { probe_recv: "" }, says: 'probe_recv: "" is too short' },
  { keys: { probe_protocol: "udp", probe_send: "" }, says: "probe_send: is empty" },
  {
    keys: { probe_tls_insecure: true },
    says: 'probe_tls_insecure: has no effect with probe_protocol = "tcp"',
  },
  {
    keys: { probe_protocol: "tls", probe_tls_cert_path: "a.pem" },
    says: "probe_tls_cert_path: is given without probe_tls_key_path",
  },
])("a configuration is told: $says", ({ keys, says }) => {
  assert.throws(() => checkSpec({ ...TCP, ...keys }), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    const said = error.problems.map(printProblem).join("\n");
    assert.ok(said.includes(`servers.web.healthcheck.${says}`), said);
    assert.equal(error.problems.length, 1);
    return true;
  });
});

Deno.test("gobetween's keys with their zero values are taken: starts_with, its own length", () => {
  const { options } = checkSpec({ ...TCP, probe_strategy: "", probe_recv_len: 0 });
  assert.equal(options["probe_strategy"], "starts_with");
  checkSpec({ ...TCP, probe_recv_len: 4 });
});
