import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32c } from "../../../lib/crc32c.ts";
import {
  CLIENT_CERT_CONN,
  CLIENT_CERT_SESS,
  CLIENT_SSL,
  type ProxyHeader,
} from "../../../protocols/proxy_header.ts";
import { V2_MAX_BYTES, V2_START, writeV2 } from "../../../protocols/proxy_v2.ts";
import { fixture, read, v2Options } from "../../support/proxy_headers.ts";

/** A header of version 2 with its length right: command, family and transport, then what follows in hex. */
function v2(command: number, family: number, rest = ""): Uint8Array {
  const bytes = Uint8Array.fromHex(rest.replaceAll(" ", ""));
  const { length } = bytes;
  return Uint8Array.of(...V2_START, command, family, length >> 8, length & 255, ...bytes);
}

function headerOf(bytes: Uint8Array): ProxyHeader {
  const result = read(bytes);
  assert.ok(typeof result === "object" && "header" in result, JSON.stringify(result));
  assert.equal(result.length, bytes.length);
  return result.header;
}

const LOCAL = 0x20;
const PROXY = 0x21;
const INET = "0a000001 0a000002 0050 01bb";
const INET6 = "20010db8000000000000000000000001 20010db8000000000000000000000002 0050 01bb";
const MAPPED = "00000000000000000000ffff0a000001 00000000000000000000ffff0a000002 0050 01bb";
const UNIX = "2f".repeat(216);
const FROM = { address: "10.0.0.1", port: 80 };
const TO = { address: "10.0.0.2", port: 443 };

Deno.test.each([
  { name: "TCP over IPv4", family: 0x11, rest: INET, from: "10.0.0.1", to: "10.0.0.2" },
  { name: "UDP over IPv4", family: 0x12, rest: INET, from: "10.0.0.1", to: "10.0.0.2" },
  { name: "TCP over IPv6", family: 0x21, rest: INET6, from: "2001:db8::1", to: "2001:db8::2" },
  { name: "UDP over IPv6", family: 0x22, rest: INET6, from: "2001:db8::1", to: "2001:db8::2" },
  { name: "IPv4-mapped IPv6", family: 0x21, rest: MAPPED, from: "10.0.0.1", to: "10.0.0.2" },
])("version 2 reads the addresses of $name", ({ family, rest, from, to }) => {
  assert.deepEqual(headerOf(v2(PROXY, family, rest)), {
    version: 2,
    local: false,
    source: { address: from, port: 80 },
    destination: { address: to, port: 443 },
  });
});

Deno.test.each([
  { name: "UNSPEC", command: PROXY, family: 0x00, rest: "" },
  { name: "UNSPEC with anything", command: PROXY, family: 0x00, rest: "01ffff" },
  { name: "an unspecified transport", command: PROXY, family: 0x10, rest: `${INET} 01ffff` },
  { name: "an unspecified family", command: PROXY, family: 0x02, rest: "01" },
  { name: "a Unix stream", command: PROXY, family: 0x31, rest: UNIX },
  { name: "a Unix datagram", command: PROXY, family: 0x32, rest: UNIX },
  { name: "LOCAL", command: LOCAL, family: 0x00, rest: "" },
  { name: "LOCAL with addresses", command: LOCAL, family: 0x11, rest: INET },
  { name: "LOCAL with too little for its family", command: LOCAL, family: 0x31, rest: "01" },
  { name: "LOCAL with an unknown family", command: LOCAL, family: 0xff, rest: "01ffff" },
])("version 2 lets the connection's own addresses count for $name", ({ command, family, rest }) => {
  const header = { version: 2, local: command === LOCAL };
  assert.deepEqual(headerOf(v2(command, family, rest)), header);
});

Deno.test("version 2 reads what a Unix client's header carries", () => {
  const { source, authority } = headerOf(v2(PROXY, 0x31, `${UNIX} 020001 61`));
  assert.equal(source, undefined);
  assert.equal(authority, "a");
});

Deno.test.each([
  { name: "version 1 in binary", command: 0x11, family: 0x11, rest: INET },
  { name: "version 3", command: 0x31, family: 0x11, rest: INET },
  { name: "command 2", command: 0x22, family: 0x11, rest: INET },
  { name: "family 4", command: PROXY, family: 0x41, rest: INET },
  { name: "transport 3", command: PROXY, family: 0x13, rest: INET },
])("version 2 finds $name unsupported", ({ command, family, rest }) => {
  assert.deepEqual(read(v2(command, family, rest)), { wrong: "unsupported" });
});

const SSL = (rest: string) =>
  `20 ${(rest.replaceAll(" ", "").length / 2).toString(16).padStart(4, "0")} ${rest}`;

Deno.test.each([
  { name: "IPv4 addresses cut short", family: 0x11, rest: INET.slice(0, -2) },
  { name: "IPv6 addresses cut short", family: 0x21, rest: INET6.slice(0, -2) },
  { name: "Unix addresses cut short", family: 0x31, rest: UNIX.slice(2) },
  { name: "no addresses", family: 0x11, rest: "" },
  { name: "one byte behind the addresses", family: 0x11, rest: `${INET} 04` },
  { name: "two bytes behind the addresses", family: 0x11, rest: `${INET} 0400` },
  { name: "a value that goes on behind the end", family: 0x11, rest: `${INET} 040002 00` },
  { name: "the same in the second value", family: 0x11, rest: `${INET} 040000 04ffff 00` },
  { name: "a unique id of 129 bytes", family: 0x11, rest: `${INET} 050081 ${"61".repeat(129)}` },
  { name: "a checksum of 3 bytes", family: 0x11, rest: `${INET} 030003 000000` },
  { name: "two checksums", family: 0x11, rest: `${INET} 030004 00000000 030004 00000000` },
  { name: "SSL without verify", family: 0x11, rest: `${INET} ${SSL("01 000000")}` },
  { name: "a byte at the end of SSL", family: 0x11, rest: `${INET} ${SSL("01 00000000 21")}` },
  {
    name: "a value that goes on behind the end of SSL",
    family: 0x11,
    rest: `${INET} ${SSL("01 00000000 210003 6162")} 04 0000`,
  },
])("version 2 finds $name malformed", ({ family, rest }) => {
  assert.deepEqual(read(v2(PROXY, family, rest)), { wrong: "malformed" });
});

Deno.test("version 2 skips what it doesn't know, and takes the last of two", () => {
  const rest = `${INET} 040003 616263 300001 61 e00000 020001 61 ee0001 ff 020001 62`;
  assert.deepEqual(headerOf(v2(PROXY, 0x11, rest)), {
    ...{ version: 2, local: false, source: FROM, destination: TO },
    authority: "b",
  });
});

Deno.test("version 2 shows text that isn't UTF-8 with U+FFFD, and keeps a byte order mark", () => {
  const { authority, alpn } = headerOf(v2(PROXY, 0x11, `${INET} 020003 61ff62 010003 efbbbf`));
  assert.equal(authority, "a\ufffdb");
  assert.equal(alpn, "\ufeff");
});

Deno.test("version 2 takes 4,096 bytes and not one more, known after 16", () => {
  const room = V2_MAX_BYTES - 16 - 12 - 3;
  const padded = (length: number) =>
    v2(PROXY, 0x11, `${INET} 04 ${length.toString(16).padStart(4, "0")} ${"00".repeat(length)}`);
  assert.deepEqual(headerOf(padded(room)).source, FROM);
  assert.deepEqual(read(padded(room + 1).subarray(0, 16)), { wrong: "too_large" });
  assert.equal(read(padded(room + 1).subarray(0, 15)), "more");
});

Deno.test("version 2 finds each changed bit behind the first 16 bytes where there is a checksum", async () => {
  const bytes = await fixture("v2_crc32c");
  const typeAt = 28; // a changed type makes something else of the checksum itself
  const found = new Set<string>();
  for (let bit = 16 * 8; bit < bytes.length * 8; bit++) {
    const at = bit >> 3;
    if (at === typeAt) continue;
    const result = read(bytes.with(at, bytes[at]! ^ 1 << (bit & 7)));
    assert.ok(typeof result === "object" && "wrong" in result, `bit ${bit}`);
    found.add(result.wrong);
  }
  assert.deepEqual([...found].sort(), ["checksum", "malformed"]);
});

Deno.test("writeV2() puts a checksum over all bytes, itself as zeros", () => {
  const bytes = writeV2({ source: FROM, destination: TO, authority: "a", crc32c: true });
  const view = new DataView(bytes.buffer);
  assert.equal(bytes[28], 3);
  const told = view.getUint32(31);
  view.setUint32(31, 0);
  assert.equal(crc32c(bytes), told);
});

const ALL_TLS = {
  alpn: "h2",
  authority: "www.example.com",
  ssl: {
    client: CLIENT_SSL | CLIENT_CERT_CONN | CLIENT_CERT_SESS,
    verify: 0,
    commonName: "client.example",
    key: "EC256",
    signature: "ecdsa-with-SHA256",
  },
};
const id = (text: string) => new TextEncoder().encode(text);
const loopback = (from: number, to: number, address = "127.0.0.1") => ({
  source: { address, port: from },
  destination: { address, port: to },
});

Deno.test.each([
  { name: "v2_tcp4", says: { local: false, ...loopback(41868, 17002) } },
  { name: "v2_tcp6", says: { local: false, ...loopback(40674, 17002, "::1") } },
  { name: "v2_unix", says: { local: true } },
  { name: "v2_check", says: { local: true } },
  { name: "v2_crc32c", says: { local: false, ...loopback(50538, 17003), uniqueId: id("twixt-2") } },
  {
    name: "v2_ssl",
    says: {
      ...{ local: false, ...loopback(51924, 17004), alpn: "h2" },
      ssl: { client: CLIENT_SSL, verify: 0, version: "TLSv1.3" },
    },
  },
  {
    name: "v2_ssl_cn",
    says: {
      ...{ local: false, ...loopback(57454, 17005), alpn: "h2" },
      ssl: { client: 7, verify: 0, version: "TLSv1.3", commonName: "client.example" },
    },
  },
  {
    name: "v2_all_tls12",
    says: {
      ...{ local: false, ...loopback(56992, 17006), ...ALL_TLS, uniqueId: id("twixt-12") },
      ssl: { ...ALL_TLS.ssl, version: "TLSv1.2", cipher: "ECDHE-ECDSA-AES256-GCM-SHA384" },
    },
  },
  {
    name: "v2_all_tls13",
    says: {
      ...{ local: false, ...loopback(56990, 17006), ...ALL_TLS, uniqueId: id("twixt-11") },
      ssl: { ...ALL_TLS.ssl, version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" },
    },
  },
])(
  "version 2 reads HAProxy's $name, and writes it byte by byte the same",
  async ({ name, says }) => {
    const bytes = await fixture(name);
    const header = headerOf(bytes);
    assert.deepEqual(header, { version: 2, ...says });
    assert.deepEqual(writeV2({ ...header, crc32c: header.uniqueId !== undefined }), bytes);
  },
);

Deno.test.each([
  { from: "10.0.0.1", to: "10.0.0.2", is: `11 000c ${INET}` },
  { from: "::ffff:10.0.0.1", to: "10.0.0.2", is: `11 000c ${INET}` },
  { from: "2001:db8::1", to: "2001:db8::2", is: `21 0024 ${INET6}` },
  {
    from: "10.0.0.1",
    to: "2001:db8::2",
    is: `21 0024 00000000000000000000ffff0a000001 20010db8000000000000000000000002 0050 01bb`,
  },
])("writeV2() from $from to $to takes the family that holds both", ({ from, to, is }) => {
  const bytes = writeV2({
    source: { address: from, port: 80 },
    destination: { address: to, port: 443 },
  });
  assert.equal(bytes.subarray(13).toHex(), is.replaceAll(" ", ""));
});

Deno.test.each([
  { name: "no ends", options: {} },
  { name: "a Unix client", options: { source: { address: "/run/a", port: 0 }, destination: TO } },
  { name: "no destination", options: { source: FROM } },
])("writeV2() of $name is LOCAL and nothing else", ({ options }) => {
  const bytes = writeV2({ ...options, authority: "a", crc32c: true });
  assert.deepEqual(bytes, v2(LOCAL, 0));
});

Deno.test("writeV2() leaves out what is longer than it may be, and keeps what is just as long", () => {
  const long = (length: number) => {
    const [text, uniqueId] = [
      "é".repeat(length / 2) + "x".repeat(length % 2),
      new Uint8Array(length),
    ];
    const ssl = { client: 1, verify: 1, commonName: text };
    return headerOf(writeV2({ source: FROM, destination: TO, authority: text, uniqueId, ssl }));
  };
  assert.equal(long(128).uniqueId?.length, 128);
  assert.equal(long(129).uniqueId, undefined);
  assert.equal(long(255).authority?.length, 128);
  assert.equal(long(255).ssl?.commonName?.length, 128);
  assert.equal(long(256).authority, undefined);
  assert.deepEqual(long(256).ssl, { client: 1, verify: 1 });
});

Deno.test("version 2 reads what writeV2() writes", () => {
  fc.assert(fc.property(v2Options, (options) => {
    const { crc32c: _, ...says } = options;
    assert.deepEqual(headerOf(writeV2(options)), { version: 2, local: false, ...says });
  }));
});
