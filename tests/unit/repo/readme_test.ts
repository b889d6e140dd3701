import assert from "node:assert/strict";
import { discoveries } from "../../../discovery/registry.ts";
import { checks } from "../../../health/registry.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { fromFileUrl } from "../../support/paths.ts";

const README = await Deno.readTextFile(fromFileUrl(new URL("../../../README.md", import.meta.url)));
const kinds = { strategies, discoveries, checks };

Deno.test("every configuration in the README loads without a warning", () => {
  const examples = [...README.matchAll(/```toml\n([\s\S]*?)```/g)].map(([, text]) => text!);
  assert.ok(examples.length >= 3);
  for (const text of examples) {
    assert.deepEqual(loadConfig(text, { file: "README.md", format: "toml", kinds }).warnings, []);
  }
});

Deno.test("the README lists every strategy, in the registry's order", () => {
  const listed = [...README.matchAll(/^\| `(\w+)`\s+\| /gm)].map(([, name]) => name);
  for (const name of strategies.names()) assert.ok(listed.includes(name), name);
});
