/** What the message inside the records says, read through the reader. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ClientHelloReader, type HelloResult } from "../../../protocols/client_hello.ts";
import {
  alpnOf,
  codes,
  extension,
  helloMessage,
  type HelloParts,
  helloWith,
  inRecords,
  serverNames,
  vector,
  versionsOf,
} from "../../support/client_hello.ts";

const PLAIN = { serverName: undefined, alpn: [], newest: "tls1.2" } as const;

function read(bytes: Uint8Array): HelloResult {
  return new ClientHelloReader().read(bytes);
}

const label = fc.string({
  unit: fc.constantFrom(..."abcxyzABCXYZ0189-_"),
  minLength: 1,
  maxLength: 63,
});
const hostName = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join("."))
  .filter((name) => name.length <= 253 && !/^[\d.]+$/.test(name));
const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 255,
});
const versions = fc.uniqueArray(fc.constantFrom(0x0a0a, 0x0301, 0x0302, 0x0303, 0x0304, 0x0305), {
  minLength: 1,
});

Deno.test("what an encoder writes is read back: names, protocols, versions, between unknown extensions", () => {
  const others = fc.array(
    fc.tuple(fc.integer({ min: 100, max: 65_535 }), fc.array(fc.nat(255), { maxLength: 40 })),
    { maxLength: 5 },
  );
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  fc.assert(fc.property(
    optional(hostName),
    optional(fc.array(visible, { minLength: 1, maxLength: 5 })),
    optional(versions),
    others,
    fc.integer({ min: 0, max: 32 }),
    (name, protocols, offered, unknown, session) => {
      const extensions = [
        ...unknown.map(([type, bytes]) => extension(type, bytes)),
        name === undefined ? [] : serverNames(name),
        protocols === undefined ? [] : alpnOf(...protocols),
        offered === undefined ? [] : versionsOf(...offered),
        ...unknown.map(([type, bytes]) => extension(type, bytes)),
      ];
      const message = helloMessage({
        session: vector(1, new Array(session).fill(5)),
        extensions: vector(2, extensions.flat()),
      });
      const known = (offered ?? [0x0303]).filter((version) =>
        version >> 8 === 3 && version < 0x305
      );
      const newest = ["tls1", "tls1.1", "tls1.2", "tls1.3"][Math.max(...known) - 0x0301];
      assert.deepEqual(read(inRecords(message)), {
        hello: { serverName: name?.toLowerCase(), alpn: protocols ?? [], newest },
      });
    },
  ));
});

Deno.test.each<{ what: string; parts: HelloParts }>([
  { what: "an SSL 3.0 version", parts: { version: [3, 0] } },
  { what: "a DTLS version", parts: { version: [254, 253] } },
  { what: "a session id of 33 bytes", parts: { session: vector(1, new Array(33).fill(0)) } },
  {
    what:
      "a session id of 33 bytes, and a length that would fit if the offset were taken for a number",
    parts: { session: vector(1, new Array(33).fill(0)), rest: new Array(25).fill(0) },
  },
  { what: "a session id beyond the end", parts: { session: vector(1, [], 32) } },
  { what: "no cipher suite", parts: { suites: vector(2, []) } },
  { what: "half a cipher suite", parts: { suites: vector(2, [1, 2, 3]) } },
  { what: "cipher suites beyond the end", parts: { suites: vector(2, [1, 2], 400) } },
  { what: "no compression method", parts: { compression: vector(1, []) } },
  { what: "nothing after the cipher suites", parts: { compression: [] } },
  { what: "one byte of extensions", parts: { extensions: [0] } },
  { what: "extensions beyond the end", parts: { extensions: vector(2, [], 1) } },
  { what: "bytes behind the extensions", parts: { extensions: vector(2, []), rest: [0] } },
  {
    what: "an extension behind them all",
    parts: { extensions: vector(2, []), rest: extension(9, []) },
  },
  { what: "half an extension", parts: { extensions: vector(2, [0, 10, 0]) } },
  { what: "an extension beyond the end", parts: { extensions: vector(2, [0, 10, 0, 1]) } },
])("a hello with $what is malformed", ({ parts }) => {
  assert.deepEqual(read(inRecords(helloMessage(parts))), { wrong: "malformed" });
});

Deno.test("a message too short for any hello is malformed", () => {
  for (let length = 0; length < 41; length++) {
    const message = Uint8Array.from([
      1,
      ...vector(3, [3, 3, ...new Array(39).fill(0)].slice(0, length)),
    ]);
    assert.deepEqual(read(inRecords(message)), { wrong: "malformed" }, `${length}`);
  }
});

const name = (bytes: readonly number[], type = 0) => [type, ...vector(2, bytes)];
Deno.test.each([
  { what: "an empty extension", bytes: extension(0, []) },
  { what: "an empty list", bytes: extension(0, vector(2, [])) },
  { what: "an empty name", bytes: serverNames("") },
  { what: "two names", bytes: serverNames("a.example", "b.example") },
  { what: "a list beyond its extension", bytes: extension(0, vector(2, name([97]), 9)) },
  { what: "bytes behind its list", bytes: extension(0, [...vector(2, name([97])), 0]) },
  { what: "a name beyond its list", bytes: extension(0, vector(2, [0, ...vector(2, [97], 2)])) },
  { what: "half an entry", bytes: extension(0, vector(2, [...name([97]), 1, 0])) },
  { what: "two extensions", bytes: [...serverNames("a"), ...serverNames("a")] },
  {
    what: "two extensions, the first without a name",
    bytes: [...serverNames("::1"), ...serverNames("a")],
  },
  { what: "an address and then a name", bytes: serverNames("10.0.0.1", "a.example") },
])("server_name with $what is malformed", ({ bytes }) => {
  assert.deepEqual(read(helloWith(bytes)), { wrong: "malformed" });
});

const long = (length: number) => `${"abcdefg.".repeat(40)}`.slice(0, length - 1) + "z";
Deno.test.each([
  { sent: "Hello.EXAMPLE", serverName: "hello.example" },
  { sent: "hello.example.", serverName: "hello.example" },
  { sent: "_x-1.a", serverName: "_x-1.a" },
  { sent: "localhost", serverName: "localhost" },
  { sent: "1.2.3", serverName: "1.2.3" },
  { sent: long(253), serverName: long(253) },
  { sent: `${long(253)}.`, serverName: long(253) },
  { sent: "10.0.0.1", serverName: undefined },
  { sent: "10.0.0.1.", serverName: undefined },
  { sent: "::1", serverName: undefined },
  { sent: "::ffff:10.0.0.1", serverName: undefined },
  { sent: "fe80::1%eth0", serverName: undefined },
].map((row) => ({ ...row, shown: row.sent.slice(-40) })))(
  "the server name $shown is read as it should be",
  ({ sent, serverName }) => {
    assert.deepEqual(read(helloWith(serverNames(sent))), { hello: { ...PLAIN, serverName } });
  },
);

Deno.test.each([
  ...[
    ".",
    "a..b",
    ".a",
    "a..",
    "*.example",
    "a b",
    "a/b",
    "a\0",
    "a\n",
    "b\xfccher.example",
    "a:1",
  ],
  ...["x".repeat(64), long(254), `${long(254)}.`, "[::1]"],
].map((sent) => ({ sent, shown: JSON.stringify(sent.slice(-40)) })))(
  "the server name $shown is malformed",
  ({ sent }) => {
    assert.deepEqual(read(helloWith(serverNames(sent))), { wrong: "malformed" });
  },
);

Deno.test("server_name: names of a type that isn't known yet are passed over", () => {
  const both = extension(
    0,
    vector(2, [...name([1, 2], 7), ...name([], 8), ...name(codes("a.example"))]),
  );
  assert.deepEqual(read(helloWith(both)), { hello: { ...PLAIN, serverName: "a.example" } });
  assert.deepEqual(read(helloWith(extension(0, vector(2, name([1], 7))))), { hello: PLAIN });
});

Deno.test.each([
  { what: "an empty extension", bytes: extension(16, []) },
  { what: "an empty list", bytes: extension(16, vector(2, [])) },
  { what: "an empty protocol", bytes: alpnOf("h2", "") },
  { what: "a protocol beyond its list", bytes: extension(16, vector(2, vector(1, [104], 2))) },
  { what: "bytes behind its list", bytes: extension(16, [...vector(2, [1, 104]), 0]) },
  { what: "two extensions", bytes: [...alpnOf("h2"), ...alpnOf("h2")] },
])("ALPN with $what is malformed", ({ bytes }) => {
  assert.deepEqual(read(helloWith(bytes)), { wrong: "malformed" });
});

Deno.test("ALPN leaves out protocols that aren't visible ASCII", () => {
  const bytes = alpnOf("\x0a\x0a", "h2", "a b", "caf\xe9", "~".repeat(255), "\x7f");
  assert.deepEqual(read(helloWith(bytes)), { hello: { ...PLAIN, alpn: ["h2", "~".repeat(255)] } });
  assert.deepEqual(read(helloWith(alpnOf("\0"))), { hello: PLAIN });
});

Deno.test.each([
  { version: [3, 1], offered: undefined, newest: "tls1" },
  { version: [3, 2], offered: undefined, newest: "tls1.1" },
  { version: [3, 3], offered: undefined, newest: "tls1.2" },
  { version: [3, 4], offered: undefined, newest: "tls1.2" }, // 1.3 is only offered by the extension
  { version: [3, 99], offered: undefined, newest: "tls1.2" },
  { version: [3, 3], offered: [0x0304, 0x0303], newest: "tls1.3" },
  { version: [3, 3], offered: [0x2a2a, 0x0302, 0x0303], newest: "tls1.2" },
  { version: [3, 1], offered: [0x0304], newest: "tls1.3" },
  { version: [3, 3], offered: [0x7f03, 0x0300, 0x0305], newest: undefined },
])("version $version and supported_versions $offered: newest is $newest", (given) => {
  const { version, offered, newest } = given;
  const extensions = vector(2, offered === undefined ? [] : versionsOf(...offered));
  const sent = inRecords(helloMessage({ version, extensions }));
  assert.deepEqual(read(sent), { hello: { ...PLAIN, newest } });
});

Deno.test.each([
  { what: "no version", bytes: versionsOf() },
  { what: "half a version", bytes: extension(43, vector(1, [3, 4, 3])) },
  { what: "bytes behind its list", bytes: extension(43, [...vector(1, [3, 4]), 3, 3]) },
  { what: "two extensions", bytes: [...versionsOf(0x304), ...versionsOf(0x304)] },
])("supported_versions with $what is malformed", ({ bytes }) => {
  assert.deepEqual(read(helloWith(bytes)), { wrong: "malformed" });
});

Deno.test("a hello without extensions, and one with an empty list of them, is a hello", () => {
  assert.deepEqual(read(inRecords(helloMessage())), { hello: PLAIN });
  assert.deepEqual(read(helloWith()), { hello: PLAIN });
});
