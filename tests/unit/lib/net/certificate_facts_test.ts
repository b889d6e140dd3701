import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { certificateFacts } from "../../../../lib/net/certificate_facts.ts";
import { seeded } from "../../../support/clock.ts";
import { run } from "../../../support/real.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

/** A certificate that openssl makes. */
async function made(subject: string, names?: string): Promise<Uint8Array> {
  await using folder = new TemporaryFolder();
  const file = `${folder.path}/a.pem`;
  await run([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] as const,
    ...["-nodes", "-keyout", `${folder.path}/key`, "-out", file, "-utf8", "-subj", subject],
    ...names === undefined ? [] : ["-addext", `subjectAltName=${names}`],
  ]);
  return new Uint8Array(new X509Certificate(await Deno.readTextFile(file)).raw);
}

const FULL = await made(
  "/C=DE/ST=Bayern/L=München/O=Acme, Inc./OU=Ops/CN=alice/emailAddress=a@b.test/DC=acme/serialNumber=7",
  "DNS:alice.test,DNS:*.alice.test,email:a@b.test,URI:spiffe://acme/alice,IP:192.0.2.1,IP:2001:db8::1",
);

Deno.test("certificateFacts() finds what openssl has put in, comma, umlaut and all", () => {
  assert.deepEqual(certificateFacts(FULL), [
    ...["C=DE", "ST=Bayern", "L=München", "O=Acme, Inc.", "OU=Ops", "CN=alice"],
    ...["emailAddress=a@b.test", "DC=acme", "serialNumber=7"],
    ...["DNS:alice.test", "DNS:*.alice.test", "email:a@b.test", "URI:spiffe://acme/alice"],
    ...["IP:192.0.2.1", "IP:2001:db8::1"],
  ]);
});

Deno.test("certificateFacts() takes a name for what it is, whatever it looks like", async () => {
  const der = await made("/CN=x, DNS:admin.test", "URI:a:b=c");
  assert.deepEqual(certificateFacts(der), ["CN=x, DNS:admin.test", "URI:a:b=c"]);
  assert.deepEqual(certificateFacts(await made("/CN=only")), ["CN=only"]);
});

Deno.test("certificateFacts() leaves nothing out: a byte order mark makes another name", async () => {
  const facts = certificateFacts(await made("/CN=\uFEFFalice"));
  assert.deepEqual(facts, ["CN=\uFEFFalice"]);
  const broken = FULL.slice();
  broken[Buffer.from(FULL).lastIndexOf("M\u00fcnchen") + 1] = 0xff;
  assert.throws(() => certificateFacts(broken), RangeError);
});

Deno.test("certificateFacts() ends with a RangeError, or with facts, whatever it is given", () => {
  for (let length = 0; length < FULL.length; length++) {
    assert.throws(() => certificateFacts(FULL.subarray(0, length)), RangeError, String(length));
  }
  const random = seeded(1);
  for (let i = 0; i < 20_000; i++) {
    const bytes = FULL.slice();
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    try {
      certificateFacts(bytes);
    } catch (error) {
      assert(error instanceof RangeError, String(error));
    }
  }
});
