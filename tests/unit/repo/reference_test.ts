/** docs/reference.md is what the schemas and registries say now, and says all of it. */
import assert from "node:assert/strict";
import { loadConfig } from "../../../lib/config/load.ts";
import {
  checkExample,
  discoveryExample,
  strategyExample,
} from "../../../lib/reference/examples.ts";
import { anchorOf } from "../../../lib/reference/page.ts";
import { type AnySection, described, keysOf } from "../../../lib/reference/sections.ts";
import { fromFileUrl } from "../../support/paths.ts";
import { allKinds, reference, REFERENCE_FILE } from "../../support/reference.ts";

const { strategies, discoveries, checks } = allKinds;
const page = await Deno.readTextFile(REFERENCE_FILE);

Deno.test("docs/reference.md is current", () => {
  assert.ok(page === reference(), "docs/reference.md isn't current: run deno task reference");
});

/** Each kind's sort and name, where the page has it, and its example. */
const examples = [
  ...strategies.all().map((kind) =>
    ["strategy", kind.name, `\`balance = "${kind.name}"\``, strategyExample(kind)] as const
  ),
  ...discoveries.all().map((kind) =>
    ["discovery", kind.name, `\n### Discovery \`${kind.name}\`\n`, discoveryExample(kind)] as const
  ),
  ...checks.all().map((kind) =>
    ["check", kind.name, `\n### Check \`${kind.name}\`\n`, checkExample(kind)] as const
  ),
];

Deno.test("every kind of the registries has its place and its example in docs/reference.md", () => {
  const missing = examples.filter(([sort, , place, example]) => {
    const at = page.indexOf(place);
    return at < 0 || sort !== "strategy" && !page.slice(at).includes(example); // all strategies share one
  });
  assert.deepEqual(missing.map(([sort, name]) => `${sort} ${name}`), [], "run deno task reference");
});

for (const [sort, name, , text] of examples) {
  Deno.test(`the example of the ${sort} ${name} loads without a warning, and uses it`, () => {
    const { config, warnings } = loadConfig(text, {
      ...{ file: `the example of ${name}, \`example\` in its file`, format: "toml" },
      kinds: allKinds,
    });
    assert.deepEqual(warnings, []);
    const pool = config.pools.get("web")!;
    const used = {
      strategy: pool.strategy,
      discovery: pool.discoveries[0]?.kind,
      check: pool.check?.kind,
    };
    assert.equal(used[sort], name);
  });
}

Deno.test("every key of every section and kind has a description, and says what holds without it", () => {
  const kinds = [...discoveries.all(), ...checks.all()].map(({ name, shape }) => ({
    at: name,
    keys: shape as AnySection["keys"],
  }));
  const unsaid = [...described, ...kinds].flatMap((section) =>
    keysOf(section)
      .filter(({ text, otherwise }) => text === "" || otherwise === "")
      .map(({ key }) => `${section.at}: ${key}`)
  );
  assert.deepEqual(unsaid, [], "add .describe(), and a default or .meta({ otherwise })");
});

Deno.test("links into docs/reference.md lead to headings, each of which there is once", async () => {
  const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) => anchorOf(title!));
  assert.deepEqual(anchors, [...new Set(anchors)]);
  const root = fromFileUrl(new URL("../../../", import.meta.url));
  const kinds = await Deno.readTextFile(`${root}docs/kinds.md`);
  const programs = /\(kinds\.md#(\S+)\)/g;
  const links = [
    ...[...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!),
    ...[...kinds.matchAll(/\]\(reference\.md#([^)]+)\)/g)].map(([, anchor]) => anchor!),
  ];
  assert.ok(links.length > 100);
  assert.deepEqual(links.filter((link) => !anchors.includes(link)), []);
  const others = [...kinds.matchAll(/^#+ (.*)$/gm)].map(([, title]) => anchorOf(title!));
  assert.deepEqual(
    [...page.matchAll(programs)].map(([, link]) => link!).filter((link) => !others.includes(link)),
    [],
  );
});
