import assert from "node:assert/strict";
import fc from "fast-check";
import { type ProxyRead, ProxyReader } from "../../../protocols/proxy_reader.ts";
import { V1_MAX_BYTES, writeV1 } from "../../../protocols/proxy_v1.ts";
import { endpoints, fixture, read } from "../../support/proxy_headers.ts";

/** One byte a character, as Latin-1. */
const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function headerOf(result: ProxyRead) {
  assert.ok(typeof result === "object" && "header" in result, JSON.stringify(result));
  return result.header;
}

/** `source address, port, destination address, port`, or `unknown`. */
function shown(text: string): string {
  const { version, local, source, destination } = headerOf(read(bytesOf(text)));
  assert.equal(version, 1);
  assert.equal(local, false);
  if (source === undefined || destination === undefined) {
    assert.equal(source, destination);
    return "unknown";
  }
  return `${source.address} ${source.port} ${destination.address} ${destination.port}`;
}

const LONG_IPV6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

Deno.test.each([
  // the specification's example, and its longest lines
  { line: "TCP4 192.168.0.1 192.168.0.11 56324 443", is: "192.168.0.1 56324 192.168.0.11 443" },
  {
    line: "TCP4 255.255.255.255 255.255.255.255 65535 65535",
    is: "255.255.255.255 65535 255.255.255.255 65535",
  },
  {
    line: `TCP6 ${LONG_IPV6} ${LONG_IPV6} 65535 65535`,
    is: `${LONG_IPV6} 65535 ${LONG_IPV6} 65535`,
  },
  { line: "UNKNOWN", is: "unknown" },
  { line: `UNKNOWN ${LONG_IPV6} ${LONG_IPV6} 65535 65535`, is: "unknown" },
  { line: "UNKNOWN  \0anything \xff", is: "unknown" },
  { line: "TCP4 0.0.0.0 0.0.0.0 0 0", is: "0.0.0.0 0 0.0.0.0 0" },
  { line: "TCP6 2001:DB8:0:0::1 :: 1 2", is: "2001:db8::1 1 :: 2" },
  { line: "TCP6 ::ffff:10.0.0.1 ::FFFF:a00:2 1 2", is: "10.0.0.1 1 10.0.0.2 2" },
  { line: "TCP6 ::ffff:10.0.0.1 2001:db8::1 1 2", is: "10.0.0.1 1 2001:db8::1 2" },
])("version 1 reads $line", ({ line, is }) => {
  assert.equal(shown(`PROXY ${line}\r\n`), is);
});

Deno.test.each([
  { line: "TCP4 10.0.0.1 10.0.0.2 80", why: "a port is missing" },
  { line: "TCP4 10.0.0.1 10.0.0.2 80 443 ", why: "a blank follows" },
  { line: "TCP4 10.0.0.1 10.0.0.2 80 443 1", why: "a field follows" },
  { line: " TCP4 10.0.0.1 10.0.0.2 80 443", why: "two blanks" },
  { line: "TCP4 10.0.0.1  10.0.0.2 80 443", why: "two blanks" },
  { line: "TCP4 10.0.0.1\t10.0.0.2 80 443", why: "a tab" },
  { line: "TCP4 10.0.0.1 10.0.0.2 080 443", why: "a port with a leading zero" },
  { line: "TCP4 10.0.0.1 10.0.0.2 80 65536", why: "a port that is too large" },
  { line: "TCP4 10.0.0.1 10.0.0.2 -1 443", why: "a negative port" },
  { line: "TCP4 10.0.0.1 10.0.0.2 +80 443", why: "a sign" },
  { line: "TCP4 10.0.0.1 10.0.0.2 0x50 443", why: "a hexadecimal port" },
  { line: "TCP4 10.0.0.01 10.0.0.2 80 443", why: "an address with a leading zero" },
  { line: "TCP4 10.0.1 10.0.0.2 80 443", why: "a short address" },
  { line: "TCP4 10.0.0.256 10.0.0.2 80 443", why: "no address" },
  { line: "TCP4 localhost 10.0.0.2 80 443", why: "a name" },
  { line: "TCP4 ::1 ::1 80 443", why: "the other family" },
  { line: "TCP4 ::ffff:10.0.0.1 10.0.0.2 80 443", why: "the other family" },
  { line: "TCP6 10.0.0.1 10.0.0.2 80 443", why: "the other family" },
  { line: "TCP6 ::1 10.0.0.2 80 443", why: "two families" },
  { line: "TCP6 fe80::1%eth0 ::1 80 443", why: "a zone" },
  { line: "TCP6 [::1] ::1 80 443", why: "brackets" },
  { line: "TCP6 1::2::3 ::1 80 443", why: "two gaps" },
  { line: "TCP6 1:2:3:4:5:6:7 ::1 80 443", why: "a short address" },
  { line: "TCP6 12345::1 ::1 80 443", why: "five digits" },
  { line: "tcp4 10.0.0.1 10.0.0.2 80 443", why: "lower case" },
  { line: "UDP4 10.0.0.1 10.0.0.2 80 443", why: "a family of version 2" },
  { line: "UNKNOWNX", why: "no family" },
  { line: "", why: "nothing" },
])("version 1 finds $line malformed: $why", ({ line }) => {
  assert.deepEqual(read(bytesOf(`PROXY ${line}\r\n`)), { wrong: "malformed" });
});

Deno.test.each([
  { text: "PROXY UNKNOWN\n", wrong: "malformed" },
  { text: "PROXY UNKNOWN\rx", wrong: "malformed" },
  { text: "PROXY UNKNOWN\r\r", wrong: "malformed" },
  { text: "PROXY \n", wrong: "malformed" },
  { text: "P\r", wrong: "not_proxy" },
  { text: "POST / HTTP/1.1\r\n", wrong: "not_proxy" },
  { text: "PROXY\r\n", wrong: "not_proxy" },
  { text: "proxy", wrong: "not_proxy" },
])("version 1 ends $text at its last byte or before", ({ text, wrong }) => {
  assert.deepEqual(read(bytesOf(text)), { wrong });
});

Deno.test("version 1 takes 107 bytes and not one more, whether or not the line would end", () => {
  const line = (length: number) => `PROXY UNKNOWN ${"x".repeat(length - 16)}\r\n`;
  assert.equal(shown(line(V1_MAX_BYTES)), "unknown");
  assert.deepEqual(read(bytesOf(line(V1_MAX_BYTES + 1))), { wrong: "too_large" });
  const reader = new ProxyReader();
  const endless = bytesOf("PROXY UNKNOWN " + "x".repeat(V1_MAX_BYTES - 15));
  assert.equal(reader.push(endless), "more");
  assert.deepEqual(reader.push(bytesOf("x")), { wrong: "too_large" });
});

Deno.test.each([
  { from: "10.0.0.1", to: "10.0.0.2", line: "TCP4 10.0.0.1 10.0.0.2 1 2" },
  { from: "::ffff:10.0.0.1", to: "10.0.0.2", line: "TCP4 10.0.0.1 10.0.0.2 1 2" },
  { from: "2001:DB8::1", to: "::1", line: "TCP6 2001:db8::1 ::1 1 2" },
  { from: "10.0.0.1", to: "::1", line: "TCP6 ::ffff:10.0.0.1 ::1 1 2" },
  { from: "::1", to: "10.0.0.1", line: "TCP6 ::1 ::ffff:10.0.0.1 1 2" },
  { from: "fe80::1%eth0", to: "fe80::2", line: "TCP6 fe80::1 fe80::2 1 2" },
  { from: "/run/web.sock", to: "10.0.0.1", line: "UNKNOWN" },
  { from: "10.0.0.1", to: "localhost", line: "UNKNOWN" },
])("writeV1() from $from to $to is $line", ({ from, to, line }) => {
  const written = writeV1({ address: from, port: 1 }, { address: to, port: 2 });
  assert.equal(textOf(written), `PROXY ${line}\r\n`);
});

Deno.test("writeV1() without an end is UNKNOWN", () => {
  assert.equal(textOf(writeV1()), "PROXY UNKNOWN\r\n");
  assert.equal(textOf(writeV1({ address: "10.0.0.1", port: 1 })), "PROXY UNKNOWN\r\n");
});

Deno.test.each(["v1_tcp4", "v1_tcp6", "v1_unix"])("writeV1() is HAProxy's %s", async (name) => {
  const bytes = await fixture(name);
  const { source, destination } = headerOf(read(bytes));
  assert.deepEqual(writeV1(source, destination), bytes);
});

Deno.test("version 1 reads what writeV1() writes", () => {
  fc.assert(fc.property(endpoints, endpoints, (source, destination) => {
    const bytes = writeV1(source, destination);
    assert.deepEqual(read(bytes), {
      header: { version: 1, local: false, source, destination },
      length: bytes.length,
      taken: bytes.length,
    });
  }));
});
