import assert from "node:assert/strict";
import { loadConfig } from "../../../lib/config/load.ts";
import { fromFileUrl } from "../../support/paths.ts";
import { allKinds } from "../../support/reference.ts";

const README = await Deno.readTextFile(fromFileUrl(new URL("../../../README.md", import.meta.url)));

const TLS = await Deno.readTextFile(fromFileUrl(new URL("../../../docs/tls.md", import.meta.url)));

Deno.test("every configuration in README and docs/tls.md loads without a warning", () => {
  const examples = [...(README + TLS).matchAll(/```toml\n([\s\S]*?)```/g)].map(([, text]) => text!);
  assert.ok(examples.length >= 5);
  for (const text of examples) {
    assert.deepEqual(
      loadConfig(text, { file: "README.md", format: "toml", kinds: allKinds }).warnings,
      [],
    );
  }
});

/** Words in backticks of what a pattern's first group finds. */
function named(pattern: RegExp): string[] {
  const text = pattern.exec(README)?.[1] ?? "";
  return [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
}

Deno.test("the README lists every strategy, discovery and check, in the registries' order", () => {
  const rows = /^\| strategy .*\n\|[ |-]+\n((?:\|.*\n)+)/m.exec(README)?.[1] ?? "";
  const listed = rows.trimEnd().split("\n").map((row) => /^\| `(\w+)`/.exec(row)?.[1]);
  assert.deepEqual(listed, allKinds.strategies.names());
  assert.deepEqual(named(/^\*\*Discoveries\*\*([\s\S]*?)\n\n/m), allKinds.discoveries.names());
  assert.deepEqual(named(/^\*\*Checks\*\*([\s\S]*?)\n\n/m), allKinds.checks.names());
});
