import assert from "node:assert/strict";
import { StartError } from "../../../../lib/errors.ts";
import { readBackendsTls } from "../../../../lib/source/backends_tls.ts";
import { Authority } from "../../../support/certificates.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const SECTION = { at: "servers.a.backends_tls", insecure: false };

Deno.test("readBackendsTls() reads authorities and our certificate, and keeps what else is said", async () => {
  await using folder = new TemporaryFolder();
  const authority = await Authority.make(folder.path);
  const { cert, key } = await authority.issue("a", { names: ["a.test"], days: 2 });
  const { tls, warnings } = await readBackendsTls({
    ...{ ...SECTION, caPath: authority.ca, serverName: "b.test", minVersion: "TLSv1.3" },
    pair: { certPath: cert, keyPath: key, at: SECTION.at },
  }, Date.now());
  assert.deepEqual(tls, {
    ...{ rejectUnauthorized: true, serverName: "b.test", minVersion: "TLSv1.3" },
    ca: await Deno.readTextFile(authority.ca),
    cert: await Deno.readTextFile(cert),
    key: await Deno.readTextFile(key),
  });
  assert.match(warnings.join(), /servers\.a\.backends_tls\.cert_path: .* expires on/);
  const { tls: bare } = await readBackendsTls({ ...SECTION, insecure: true }, 0);
  assert.deepEqual(bare, { rejectUnauthorized: false });
});

Deno.test.each([
  { text: undefined, wanted: /^servers\.a\.backends_tls\.root_ca_cert_path: .*ca\.pem/ },
  { text: "", wanted: /root_ca_cert_path: .* holds no CERTIFICATE in PEM form/ },
  {
    text: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    wanted: /root_ca_cert_path: .* has a certificate that can't be read/,
  },
])("readBackendsTls() refuses authorities that can't be used: $text", async ({ text, wanted }) => {
  await using folder = new TemporaryFolder();
  const caPath = `${folder.path}/ca.pem`;
  if (text !== undefined) await Deno.writeTextFile(caPath, text);
  await assert.rejects(readBackendsTls({ ...SECTION, caPath }, 0), (error) => {
    assert(error instanceof StartError && error.usage && error.hint !== "");
    assert.match(error.message, wanted);
    return true;
  });
});
