import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { newKey, selfSigned } from "../../../../lib/net/self_signed.ts";

const options = {
  name: "twixt",
  notBefore: new Date("2026-11-21T17:00:00Z"),
  notAfter: new Date("2036-11-21T17:00:00Z"),
  serial: Uint8Array.of(0, 0x80, 1, 2),
};

Deno.test("selfSigned() makes a certificate that its own key has signed", () => {
  const key = newKey();
  const read = new X509Certificate(selfSigned(key, options));
  assert.equal(read.subject, "CN=twixt");
  assert.equal(read.issuer, "CN=twixt");
  assert.equal(read.ca, false);
  assert.equal(BigInt(`0x${read.serialNumber}`), 0x800102n);
  assert.equal(Date.parse(read.validFrom), options.notBefore.getTime());
  assert.equal(Date.parse(read.validTo), options.notAfter.getTime());
  assert(read.checkPrivateKey(createPrivateKey(key)));
  assert(read.verify(read.publicKey));
  const other = new X509Certificate(selfSigned(newKey(), options));
  assert(!read.verify(other.publicKey));
});

Deno.test("selfSigned() makes one for a host, too", () => {
  const read = new X509Certificate(selfSigned(newKey(), { ...options, host: "a.test" }));
  assert.equal(read.subjectAltName, "DNS:a.test");
  assert.equal(read.checkHost("a.test"), "a.test");
  assert.equal(read.checkHost("b.test"), undefined);
  assert(read.verify(read.publicKey));
});

Deno.test.each([
  { notAfter: "2049-12-31T23:59:59Z" },
  { notAfter: "2050-01-01T00:00:00Z" },
  { notAfter: "2099-06-01T01:02:03Z" },
])("selfSigned() writes $notAfter as a certificate has it", ({ notAfter }) => {
  const made = selfSigned(newKey(), { ...options, notAfter: new Date(notAfter) });
  assert.equal(Date.parse(new X509Certificate(made).validTo), Date.parse(notAfter));
});

Deno.test.each([
  { serial: [0], shown: 0n },
  { serial: [0x7f], shown: 0x7fn },
  { serial: [0xff, 0xff], shown: 0xffffn },
])("selfSigned() writes serial $serial as a positive number", ({ serial, shown }) => {
  const made = selfSigned(newKey(), { ...options, serial: Uint8Array.from(serial) });
  assert.equal(BigInt(`0x${new X509Certificate(made).serialNumber}`), shown);
});

Deno.test("selfSigned() writes long names, whose lengths take two and three bytes", () => {
  for (const length of [50, 150, 300]) {
    const name = "n".repeat(length);
    const read = new X509Certificate(selfSigned(newKey(), { ...options, name }));
    assert.equal(read.subject, `CN=${name}`);
    assert(read.verify(read.publicKey));
  }
});

Deno.test("selfSigned() takes no key of another sort", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  assert.throws(() => selfSigned(key, options), /isn't on an elliptic curve/);
  assert.throws(() => selfSigned("no key", options));
});
