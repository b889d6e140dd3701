import assert from "node:assert/strict";
import { dumpConfig } from "../../../../lib/config/dump.ts";
import { loadConfig } from "../../../../lib/config/load.ts";
import type { Config } from "../../../../lib/model.ts";
import { kinds } from "../../../support/kinds.ts";

function load(text: string, format: "toml" | "json" = "toml"): Config {
  return loadConfig(text, { file: "x", format, kinds }).config;
}

const folder = new URL("../../../fixtures/config/", import.meta.url);

for (const name of ["minimal", "full", "legacy", "routes"]) {
  Deno.test.each(["toml", "json"] as const)(
    `dumpConfig() of ${name} in %s loads as the same`,
    (format) => {
      const config = load(Deno.readTextFileSync(new URL(`${name}.toml`, folder)));
      assert.deepEqual(
        load(dumpConfig(config.document, format, { secrets: true }), format),
        config,
      );
    },
  );
}

Deno.test("dumpConfig() writes gobetween's sections in its order and ours behind them", () => {
  const { document } = load(
    'workers = 2\n[pools.a.discovery]\nkind = "static"\nstatic_list = []\n',
  );
  assert.deepEqual(Object.keys(JSON.parse(dumpConfig(document, "json"))), [
    ...["logging", "api", "metrics", "defaults", "acme", "profiler", "servers"],
    ...["pools", "workers"],
  ]);
});

const secret = `
[api.basic_auth]
login = "admin"
password = "hunter2"
[servers.web]
bind = ":1"
[servers.web.discovery]
kind = "exec"
exec_command = ["curl", "http://me:hunter2@host/list"]
consul_acl_token = "hunter2"
consul_auth_password = ""
`;

Deno.test.each(["toml", "json"] as const)(
  "dumpConfig() masks secrets in %s, and shows which are set",
  (format) => {
    const text = dumpConfig(load(secret).document, format);
    assert.ok(!text.includes("hunter2"));
    assert.equal(text.match(/\*{8}/g)?.length, 3);
    assert.ok(text.includes("http://me:********@host/list"));
    assert.match(text, /consul_auth_password\W+""/);
  },
);

Deno.test("dumpConfig() shows secrets when it is told to", () => {
  const text = dumpConfig(load(secret).document, "toml", { secrets: true });
  assert.equal(text.match(/hunter2/g)?.length, 3);
});
