import assert from "node:assert/strict";
import { isIPv4 as nodeIsIPv4, isIPv6 as nodeIsIPv6 } from "node:net";
import fc from "fast-check";
import {
  contains,
  isIp,
  isIPv4,
  isIPv6,
  parseBind,
  parseCidr,
  parseHostPort,
  parseIp,
  parseIPv4,
  parseIPv6,
  printHostPort,
  printIPv4,
  printIPv6,
  unmap,
} from "../../../lib/address.ts";

Deno.test.each([
  { text: "localhost:80", host: "localhost", port: 80 },
  { text: ":3000", host: "", port: 3000 },
  { text: "[::1]:0", host: "::1", port: 0 },
  { text: "[fe80::1%eth0]:80", host: "fe80::1%eth0", port: 80 },
  { text: "10.0.0.1:65535", host: "10.0.0.1", port: 65535 },
])("parseHostPort() takes $text apart", ({ text, host, port }) => {
  assert.deepEqual(parseHostPort(text), { host, port });
});

Deno.test.each([
  { text: "", message: '"" has no port\nwrite host:port, for example "localhost:8000"' },
  { text: "a", message: '"a" has no port\nwrite host:port, for example "localhost:8000"' },
  {
    text: "a:70000",
    message: '"a:70000" has no valid port\nwrite host:port with a port from 1 to 65535',
  },
  {
    text: "a:-1",
    message: '"a:-1" has no valid port\nwrite host:port with a port from 1 to 65535',
  },
  {
    text: "::1:80",
    message: '"::1:80" has an IPv6 address without brackets\nwrite [::1]:80',
  },
  { text: "[a]:80", message: '"[a]:80" has no IPv6 address in its brackets' },
  { text: "http://a:80", message: '"http://a:80" is a URL\nwrite host:port alone' },
  { text: "a/b:80", message: '"a/b:80" has no valid host' },
])("parseHostPort() says what is wrong with $text", ({ text, message }) => {
  assert.equal(parseHostPort(text), message);
});

Deno.test.each([
  { text: ":3000", hostname: "::", port: 3000 },
  { text: "0.0.0.0:3000", hostname: "0.0.0.0", port: 3000 },
  { text: "localhost:3000", hostname: "127.0.0.1", port: 3000 },
  { text: "[::]:0", hostname: "::", port: 0 },
  { text: "[0:0::01]:5", hostname: "::1", port: 5 },
  { text: "[FE80::1%eth0]:5", hostname: "FE80::1%eth0", port: 5 },
])("parseBind() listens for $text on $hostname", ({ text, hostname, port }) => {
  assert.deepEqual(parseBind(text), { hostname, port, text });
});

Deno.test.each([
  {
    text: "example.com:80",
    message: '"example.com" is a name, a bind needs an address\n' +
      "write the address, 127.0.0.1:80 for this host alone, or :80 for all of its addresses",
  },
  { text: "3000", message: '"3000" has no port\nwrite ":3000"' },
  {
    text: ":99999",
    message: '":99999" has no valid port\nwrite host:port with a port from 0 to 65535',
  },
])("parseBind() refuses $text", ({ text, message }) => {
  assert.equal(parseBind(text), message);
});

Deno.test.each([
  "010.0.0.1",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.256",
  "1..2.3",
  "1.2.3.4 ",
  "",
  "0x1.2.3.4",
])(
  "isIPv4() refuses %s",
  (text) => assert.equal(isIPv4(text), false),
);

Deno.test("parseIPv4() gives the unsigned number", () => {
  assert.equal(parseIPv4("255.255.255.255"), 2 ** 32 - 1);
  assert.equal(parseIPv4("10.0.0.1"), 10 * 2 ** 24 + 1);
});

Deno.test("parseIPv6() gives four numbers, most significant first", () => {
  assert.deepEqual(parseIPv6("2001:db8::1:2"), [0x20010db8, 0, 0, 0x10002]);
  assert.deepEqual(parseIPv6("::ffff:1.2.3.4"), [0, 0, 0xffff, 0x01020304]);
});

const soup = fc.string({ unit: fc.constantFrom(..."::::....019afFe"), maxLength: 45 });

Deno.test("isIPv4() and isIPv6() agree with node on any text", () => {
  fc.assert(
    fc.property(fc.oneof(soup, fc.ipV4(), fc.ipV6()), (text) => {
      assert.equal(isIPv4(text), nodeIsIPv4(text));
      assert.equal(isIPv6(text), nodeIsIPv6(text));
      assert.equal(isIp(text), nodeIsIPv4(text) || nodeIsIPv6(text));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("parseHostPort() reads back what printHostPort() prints", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(fc.property(host, fc.integer({ min: 0, max: 65535 }), (host, port) => {
    assert.deepEqual(parseHostPort(printHostPort(host, port)), { host, port });
  }));
});

Deno.test("isIPv6() takes a zone of letters, digits, dots and dashes", () => {
  for (const text of ["fe80::1%eth0", "fe80::1%br-lan.7"]) assert.ok(isIPv6(text));
  for (const text of ["fe80::1%", "fe80::1%a/b", "fe80::1%a%b", "%eth0"]) assert.ok(!isIPv6(text));
});

Deno.test("unmap() takes IPv4 out of its IPv6 form and leaves the rest", () => {
  assert.equal(unmap("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(unmap("::FFFF:10.0.0.1"), "10.0.0.1");
  for (const ip of ["10.0.0.1", "::1", "2001:db8::ffff:1.2.3.4"]) assert.equal(unmap(ip), ip);
});

Deno.test.each([
  "",
  "10.0.0.0/33",
  "::/129",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "a",
  "10.0.0.0/-1",
  "1.2.3/8",
])(
  "parseCidr() refuses %s",
  (text) => assert.equal(parseCidr(text), undefined),
);

Deno.test.each([
  { cidr: "10.1.2.3/8", ip: "10.255.0.1", inside: true },
  { cidr: "10.0.0.0/8", ip: "11.0.0.0", inside: false },
  { cidr: "0.0.0.0/0", ip: "::ffff:9.9.9.9", inside: true },
  { cidr: "0.0.0.0/0", ip: "::1", inside: false },
  { cidr: "::/0", ip: "::1", inside: true },
  { cidr: "::/0", ip: "1.2.3.4", inside: false },
  { cidr: "::ffff:10.0.0.0/104", ip: "10.9.9.9", inside: true },
  { cidr: "2001:db8::/33", ip: "2001:db8:7fff::1", inside: true },
  { cidr: "2001:db8::/33", ip: "2001:db8:8000::1", inside: false },
  { cidr: "192.168.0.1", ip: "192.168.0.1", inside: true },
  { cidr: "192.168.0.1", ip: "nonsense", inside: false },
])("contains() of $cidr and $ip is $inside", ({ cidr, ip, inside }) => {
  assert.equal(contains(parseCidr(cidr)!, ip), inside);
});

Deno.test("contains() holds for the address a network was made of, whatever the prefix", () => {
  const network = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(fc.property(network, ([ip, bits]) => {
    assert.ok(contains(parseCidr(`${ip}/${bits}`)!, ip));
  }));
});

Deno.test("contains() compares exactly the bits of the prefix", () => {
  const number = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const text = (value: number) => [24, 16, 8, 0].map((shift) => value >>> shift & 255).join(".");
  fc.assert(fc.property(number, number, fc.integer({ min: 0, max: 32 }), (base, ip, bits) => {
    const same = bits === 0 || base >>> (32 - bits) === ip >>> (32 - bits);
    assert.equal(contains(parseCidr(`${text(base)}/${bits}`)!, text(ip)), same);
  }));
});

// the examples of RFC 5952, sections 4 and 5
Deno.test.each([
  { text: "2001:0db8::0001", canonical: "2001:db8::1" },
  { text: "2001:db8:0:0:0:0:2:1", canonical: "2001:db8::2:1" },
  { text: "2001:db8:0:1:1:1:1:1", canonical: "2001:db8:0:1:1:1:1:1" },
  { text: "2001:0:0:1:0:0:0:1", canonical: "2001:0:0:1::1" },
  { text: "2001:db8:0:0:1:0:0:1", canonical: "2001:db8::1:0:0:1" },
  { text: "2001:DB8::A", canonical: "2001:db8::a" },
  { text: "0:0:0:0:0:0:0:0", canonical: "::" },
  { text: "fe80:0:0:0:0:0:0:0", canonical: "fe80::" },
  { text: "fe80::1%eth0", canonical: "fe80::1" },
  { text: "::ffff:a00:1", canonical: "::ffff:10.0.0.1" },
])("printIPv6() writes $text as $canonical", ({ text, canonical }) => {
  assert.equal(printIPv6(parseIPv6(text)!), canonical);
});

Deno.test("printIPv6() writes what a URL's host does, where that isn't IPv4-mapped", () => {
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
  fc.assert(fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
    const text = groups.map((value) => value.toString(16)).join(":");
    const host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
    fc.pre(!/^::ffff:[^:]+:[^:]+$/.test(host));
    assert.equal(printIPv6(parseIPv6(text)!), host);
  }));
});

Deno.test("printIPv4() writes what parseIPv4() reads", () => {
  fc.assert(fc.property(fc.ipV4(), (ip) => assert.equal(printIPv4(parseIPv4(ip)), ip)));
});

Deno.test("parseIp() takes both families, IPv4 as IPv4-mapped, and nothing else", () => {
  assert.deepEqual(parseIp("10.0.0.1"), [0, 0, 0xffff, 0x0a000001]);
  assert.deepEqual(parseIp("10.0.0.1"), parseIp("::ffff:10.0.0.1"));
  assert.deepEqual(parseIp("::1"), [0, 0, 0, 1]);
  assert.equal(parseIp("localhost"), undefined);
  assert.equal(parseIp(""), undefined);
});
