import assert from "node:assert/strict";
import { missingFiles } from "../../../cli/check_files.ts";
import { discoveries } from "../../../discovery/registry.ts";
import { checks } from "../../../health/registry.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { loadConfig } from "../../../lib/config/load.ts";
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
