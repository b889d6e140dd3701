import assert from "node:assert/strict";
import fc from "fast-check";
import { includePatterns, matches } from "../../../../lib/config/include.ts";
import { loadConfig, type Loaded } from "../../../../lib/config/load.ts";
import { ConfigError } from "../../../../lib/errors.ts";
import { kinds } from "../../../support/kinds.ts";

const server = (bind: string) =>
  `bind = "${bind}"\ndiscovery = { kind = "static", static_list = ["a:80"] }\n`;

function load(main: string, included: Readonly<Record<string, string>>, lenient = false): Loaded {
  return loadConfig(main, {
    ...{ file: "main.toml", format: "toml", kinds, lenient },
    included: Object.entries(included).map(([file, text]) => ({
      ...{ file, text },
      format: file.endsWith(".json") ? "json" : "toml",
    })),
  });
}

function failure(...args: Parameters<typeof load>): string {
  try {
    load(...args);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  assert.fail("it loads");
}

Deno.test("loadConfig() lays included servers and pools beside those of the main file", () => {
  const { config, warnings } = load(`include = ["x"]\n[servers.a]\n${server(":1")}`, {
    "b.toml": `[Servers.b]\n${server(":2")}[servers.c]\nbind = ":3"\npool = "p"`,
    "p.json": '{"pools": {"p": {"discovery": {"kind": "static", "static_list": ["b:80"]}}}}',
    "empty.toml": "",
  });
  assert.deepEqual([...config.servers.keys()], ["a", "b", "c"]);
  assert.deepEqual([...config.pools.keys()].sort(), ["a", "b", "p"]);
  assert.deepEqual(warnings, []);
  assert.equal(config.document.top["include"], undefined, "a dump would include them twice");
});

Deno.test("loadConfig() takes all servers from included files", () => {
  const { config } = load('include = ["b.toml"]', { "b.toml": `[servers.b]\n${server(":2")}` });
  assert.deepEqual([...config.servers.keys()], ["b"]);
});

Deno.test("loadConfig() names file, line and key of what is wrong, whichever file it stands in", () => {
  const text = failure(`include = ["x"]\nwatchdog = "soon"\n[servers.a]\n${server(":1")}`, {
    "b.toml": `# b\n[servers.b]\nbalance = "rond"\n${server(":2")}[api]\nenabled = true\n`,
    "c.json":
      '{\n "servers": {\n  "c": {"bind": ":3",\n   "pool": "x"},\n "a": {}},\n "include": ["d"], "foo": 1}',
    "d.toml": "servers = 1",
  });
  assert.equal(
    text,
    [
      'main.toml:2: watchdog: "soon" is not a duration',
      '       write a number and a unit, for example "10s", "1m30s" or "250ms"',
      'b.toml:3: servers.b.balance: "rond" is not a strategy',
      "       One of weight, roundrobin, leastconn",
      'c.json:4: servers.c.pool: there is no pool "x"',
      "       add [pools.x]",
      "b.toml:6: api: belongs in main.toml",
      "       an included file holds [servers.NAME] and [pools.NAME], nothing else",
      "c.json:5: servers.a: is in main.toml, too",
      "       give one of the two another name",
      "c.json:6: include: an included file can't include others",
      "       name them in main.toml",
      "c.json:6: foo: is not a key of an included file",
      "       an included file holds [servers.NAME] and [pools.NAME], nothing else",
      "d.toml:1: servers: is not a section",
      "       an included file holds [servers.NAME] and [pools.NAME]",
    ].join("\n"),
  );
});

Deno.test("loadConfig() names both files of a name that is defined twice", () => {
  const both = {
    "a.toml": `[servers.x]\n${server(":1")}`,
    "b.toml": `[servers.x]\n${server(":2")}`,
  };
  assert.equal(
    failure("", both),
    "b.toml:1: servers.x: is in a.toml, too\n       give one of the two another name",
  );
});

Deno.test("loadConfig() reports the syntax errors of all included files at once", () => {
  const text = failure("", { "a.toml": "x = ", "b.json": "{" });
  assert.match(text, /^a\.toml:1: [^]*\nb\.json:1: not JSON: /);
});

Deno.test("loadConfig() warns of an unknown key of an included file where it is lenient", () => {
  const { warnings } = load("", { "a.toml": "foo = 1" }, true);
  assert.match(new ConfigError(warnings).message, /^a\.toml:1: foo: is not a key/);
});

Deno.test("loadConfig() refuses include where nothing can be included, but not an empty one", () => {
  const options = { file: "URL", format: "toml", kinds } as const;
  assert.deepEqual(loadConfig("include = []", options).warnings, []);
  assert.throws(() => loadConfig('\ninclude = ["a.toml"]', options), {
    message: "URL:2: include: only a configuration file can include others\n" +
      "       write what they hold into this text, or use from-file",
  });
});

Deno.test("loadConfig() keeps a server named __proto__ of an included file from being one", () => {
  assert.match(failure("", { "a.json": '{"servers": {"__proto__": {}}}' }), /can't be a name/);
});

Deno.test.each([
  { text: 'include = ["a", "b"]', patterns: ["a", "b"] },
  { text: 'Include = ["a"]', patterns: ["a"] },
  { text: 'include = "a"', patterns: undefined },
  { text: 'include = [1, "", "a"]', patterns: ["a"] },
  { text: "include = [", patterns: undefined },
  { text: "# include", patterns: undefined },
  { text: "", patterns: undefined },
])("includePatterns() of $text are $patterns", ({ text, patterns }) => {
  assert.deepEqual(includePatterns({ text, file: "x", format: "toml" }), patterns);
});

Deno.test.each([
  { pattern: "*.toml", name: "a.toml", hit: true },
  { pattern: "*.toml", name: ".toml", hit: true },
  { pattern: "*.toml", name: "a.toml~", hit: false },
  { pattern: "?.toml", name: "ab.toml", hit: false },
  { pattern: "a*b*c", name: "aXbYbZc", hit: true },
  { pattern: "a*b*c", name: "aXcYb", hit: false },
  { pattern: "*", name: "", hit: true },
  { pattern: "?", name: "", hit: false },
])("matches($pattern, $name) is $hit", ({ pattern, name, hit }) => {
  assert.equal(matches(pattern, name), hit);
});

Deno.test("matches() agrees with a regular expression", () => {
  const text = (letters: string) =>
    fc.array(fc.constantFrom(...letters)).map((all) => all.join(""));
  fc.assert(fc.property(text("ab*?."), text("ab."), (pattern, name) => {
    const source = pattern.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".");
    assert.equal(matches(pattern, name), new RegExp(`^${source}$`).test(name));
  }));
});

Deno.test("matches() is quick for a pattern of many stars", () => {
  const started = performance.now();
  assert.equal(matches("*a".repeat(30) + "b", "a".repeat(255)), false);
  assert.ok(performance.now() - started < 100);
});
