import assert from "node:assert/strict";
import { judgeCertificates, missingFiles } from "../../../cli/check_files.ts";
import { discoveries } from "../../../discovery/registry.ts";
import { checks } from "../../../health/registry.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { certificate } from "../../support/certificates.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const kinds = { strategies, discoveries, checks };

function configOf(file: string) {
  const text = `
[api]
enabled = true
bind = "127.0.0.1:8888"
tls = { cert_path = "${file}", key_path = "/no/such/key.pem" }

[servers.web]
bind = "127.0.0.1:3000"
discovery = { kind = "file", file_path = "/no/such/list" }
[servers.web.healthcheck]
kind = "https"
interval = "1s"
http_tls_cacert_path = "/no/such/ca.pem"

[servers.other]
bind = "127.0.0.1:3001"
discovery = { kind = "exec", exec_command = ["/no/such/program --all"] }

[servers.good]
bind = "127.0.0.1:3002"
discovery = { kind = "file", file_path = "${file}" }
healthcheck = { kind = "exec", interval = "1s", exec_command = "looked-for-in-PATH" }
`;
  return loadConfig(text, { file: "twixt.toml", format: "toml", kinds }).config;
}

Deno.test("missingFiles() names files, certificates and programs that aren't there", async () => {
  await using folder = new TemporaryFolder();
  const file = `${folder.path}/there`;
  await Deno.writeTextFile(file, "");
  assert.deepEqual(await missingFiles(configOf(file), kinds), [
    "web.discovery.file_path: there is no file /no/such/list",
    "web.healthcheck.http_tls_cacert_path: there is no file /no/such/ca.pem",
    "api.tls.key_path: there is no file /no/such/key.pem",
    "exec_command: there is no file /no/such/program --all",
  ]);
});

Deno.test("judgeCertificates() names every pair that can't be used, and warns of the others", async () => {
  await using folder = new TemporaryFolder();
  const { cert, key } = await certificate(folder.path);
  const server = (cert_path: string, key_path: string, port: number) => ({
    bind: `127.0.0.1:${port}`,
    discovery: { kind: "static", static_list: ["a:1"] },
    tls: { cert_path, key_path },
  });
  const text = JSON.stringify({
    servers: {
      one: server("/no/such/file", key, 1),
      two: server(cert, cert, 2),
      soon: server(cert, key, 3),
    },
  });
  const { config } = loadConfig(text, { file: "x", format: "json", kinds });
  const { errors, warnings } = await judgeCertificates(config, Date.now());
  assert.deepEqual(errors.map(({ message }) => message), [
    "servers.one.tls.cert_path: /no/such/file does not exist",
    `servers.two.tls.key_path: ${cert} holds no PRIVATE KEY in PEM form`,
  ]);
  assert.equal(warnings.length, 1);
  assert(warnings[0]!.startsWith(`servers.soon.tls.cert_path: ${cert} expires on `), warnings[0]);
});
