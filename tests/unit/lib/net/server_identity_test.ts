import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { serverIdentity } from "../../../../lib/net/server_identity.ts";
import { run } from "../../../support/real.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

/** A certificate with these alternative names, as openssl's sections write them, which may hold commas. */
async function made(names: readonly string[]): Promise<{ raw: Uint8Array }> {
  await using folder = new TemporaryFolder();
  const { path } = folder;
  const config = [
    ...["[req]", "distinguished_name=d", "x509_extensions=x", "prompt=no", "[d]", "CN=cn.test"],
    ...["[x]", ...names.length > 0 ? ["subjectAltName=@n"] : [], "[n]"],
    ...names,
  ];
  await Deno.writeTextFile(`${path}/config`, config.join("\n"));
  await run([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] as const,
    ...["-nodes", "-keyout", `${path}/key`, "-out", `${path}/c`, "-config", `${path}/config`],
  ]);
  return { raw: new X509Certificate(await Deno.readTextFile(`${path}/c`)).raw };
}

const PLAIN = await made([
  ...["DNS.1=a.test", "DNS.2=*.b.test", "DNS.3=*", "DNS.4=*.test", "DNS.5=127.0.0.1"],
  ...["IP.1=192.0.2.1", "IP.2=2001:db8::1"],
]);
const ODD = await made(["URI.1=http://x, DNS:evil.test, IP Address:10.0.0.1", "DNS.1=c.test"]);
const NONE = await made([]);

Deno.test.each([
  { host: "a.test", cert: PLAIN, good: true },
  { host: "A.TEST.", cert: PLAIN, good: true },
  { host: "x.b.test", cert: PLAIN, good: true },
  { host: "x.y.b.test", cert: PLAIN, good: false },
  { host: "b.test", cert: PLAIN, good: false },
  { host: "z.test", cert: PLAIN, good: false },
  { host: "localhost", cert: PLAIN, good: false },
  { host: "192.0.2.1", cert: PLAIN, good: true },
  { host: "2001:DB8:0::1", cert: PLAIN, good: true },
  { host: "127.0.0.1", cert: PLAIN, good: false },
  { host: "c.test", cert: ODD, good: true },
  { host: "evil.test", cert: ODD, good: false },
  { host: "10.0.0.1", cert: ODD, good: false },
  { host: "cn.test", cert: NONE, good: false },
])("serverIdentity($host): $good", ({ host, cert, good }) => {
  const fault = serverIdentity(host, cert);
  assert.equal(fault === undefined, good, fault?.message);
});

Deno.test("serverIdentity() says whom a certificate is for, and few of many", () => {
  const said = (cert: { raw: Uint8Array }) => serverIdentity("other", cert)!.message;
  assert.equal(said(NONE), "its certificate isn't for other, but for nobody: it has no names");
  assert.match(said(PLAIN), /^its certificate isn't for other, but for DNS:a\.test, .*, …$/);
  assert.match(serverIdentity("a", { raw: Buffer.from("x") })!.message, /malformed/);
});
