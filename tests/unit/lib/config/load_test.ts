import assert from "node:assert/strict";
import fc from "fast-check";
import { stringify } from "smol-toml";
import { loadConfig, type Loaded, type LoadOptions } from "../../../../lib/config/load.ts";
import { ConfigError } from "../../../../lib/errors.ts";
import { kinds } from "../../../support/kinds.ts";

type Written = { readonly format?: "toml" | "json"; readonly lenient?: boolean };

function load(text: string, { format = "toml", lenient = false }: Written = {}): Loaded {
  return loadConfig(text, { file: `x.${format}`, format, kinds, lenient });
}

function failure(text: string, written: Written = {}): string {
  try {
    load(text, written);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  assert.fail("it loads");
}

const sample = new URL("../../../fixtures/config/gobetween_sample.json", import.meta.url);

Deno.test("loadConfig() finds nothing wrong with gobetween's JSON sample but its metrics", () => {
  assert.equal(
    failure(Deno.readTextFileSync(sample), { format: "json" }),
    "x.json:3: metrics.enabled: is not available yet\n       set enabled = false",
  );
});

Deno.test("loadConfig() takes an empty TOML document, and one that starts with a byte order mark", () => {
  assert.equal(load("").config.servers.size, 0);
  assert.equal(load("\ufeffworkers = 3").config.process.workers, 3);
});

Deno.test.each([
  { text: "", message: "x.json: is empty\n       the least is {}" },
  { text: "[]", message: "x.json: a list is not a section\n       the whole file is one" },
  {
    text: '{\n  "api": {},\n}',
    message: "x.json:3: not JSON: property name expected\n       it is read as strict JSON",
  },
  {
    text: '{\n  "api": 1 /* no */}',
    message: "x.json:2: not JSON: invalid comment token\n       it is read as strict JSON",
  },
  {
    text: "{} {}",
    message: "x.json:1: not JSON: end of file expected\n       it is read as strict JSON",
  },
])("loadConfig() says where $text stops being JSON", ({ text, message }) => {
  assert.equal(failure(text, { format: "json" }), message);
});

Deno.test("loadConfig() takes null for absent, as whoever writes gobetween's own types sends it", () => {
  const server = {
    ...{ bind: ":3000", balance: null, sni: null, tls: null, udp: null, healthcheck: null },
    discovery: { kind: "static", static_list: ["a:80"], interval: null },
  };
  const { config, warnings } = load(JSON.stringify({ servers: { web: server } }), {
    format: "json",
  });
  assert.equal(config.pools.get("web")?.strategy, "weight");
  assert.deepEqual(warnings, []);
});

const misspelt = "[defaults]\nclient_idle_timout = 5\n";

Deno.test("loadConfig() refuses an unknown key, or warns of it where it is lenient", () => {
  const text = "x.toml:2: defaults.client_idle_timout: is not a key of this section\n" +
    '       did you mean "client_idle_timeout"?';
  assert.equal(failure(misspelt), text);
  const { warnings } = load(misspelt, { lenient: true });
  assert.equal(new ConfigError(warnings).message, text);
});

Deno.test("loadConfig() refuses the same key in two spellings", () => {
  assert.equal(
    failure("[api]\nbind = ':1'\nBind = ':2'"),
    'x.toml:2: api.bind: "Bind" is given twice\n       key names match in any case',
  );
});

Deno.test("loadConfig() never shows a secret that is wrong", () => {
  const text = "[api]\n[api.basic_auth]\nlogin = 'a'\npassword = 123456";
  assert.ok(!failure(text).includes("123456"));
});

Deno.test.each(["__proto__", "", "..", " web", "a\u202eb", "a\u2028b"])(
  "loadConfig() refuses %j as a server's name",
  (name) => {
    const text = `{"servers": {${JSON.stringify(name)}: {}}}`;
    assert.ok(failure(text, { format: "json" }).includes("can't be a name"));
  },
);

Deno.test.each([
  { size: "1023", ok: false },
  { size: "1024", ok: true },
  { size: '"1KiB"', ok: true },
  { size: '"16 MiB"', ok: true },
  { size: '"17MiB"', ok: false },
  { size: '"1kb"', ok: false },
  { size: '"1.5MiB"', ok: false },
  { size: "true", ok: false },
])("loadConfig() takes buffer_max = $size: $ok", ({ size, ok }) => {
  const text = `buffer_max = ${size}`;
  if (ok) load(text);
  else assert.match(failure(text), /^x\.toml:1: buffer_max: .* (not a size|out of range)\n {7}\S/);
});

/** A tree with words that mean something at some place, so that it gets past the first key. */
const words = [
  ...[
    "servers",
    "pools",
    "api",
    "defaults",
    "logging",
    "discovery",
    "healthcheck",
    "access",
    "web",
  ],
  ...[
    "bind",
    "kind",
    "static_list",
    "balance",
    "pool",
    "interval",
    "rules",
    "enabled",
    "tls",
    "sni",
  ],
  ...["acme", "metrics", "basic_auth", "protocol", "__proto__", "constructor", "Bind", "toString"],
];
const leaf = fc.oneof(
  fc.constantFrom<unknown>(...words, ":3000", "a:80", "static", "none", "ping", "5s", "", "udp"),
  fc.string(),
  fc.integer(),
  fc.boolean(),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.dictionary(fc.constantFrom(...words), tie("node"), { maxKeys: 6 }),
  node: fc.oneof(
    { depthSize: "medium" },
    leaf,
    tie("tree"),
    fc.array(tie("node"), { maxLength: 3 }),
  ),
}));

function onlyConfigErrors(text: string, format: LoadOptions["format"]): void {
  try {
    load(text, { format });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(error.problems.length > 0);
    for (const { message } of error.problems) assert.notEqual(message, "");
  }
}

Deno.test("loadConfig() throws nothing but ConfigError for any text", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'[]{}",=.:\na1#') }));
  fc.assert(fc.property(text, fc.constantFrom("toml", "json"), onlyConfigErrors), { numRuns: 500 });
});

Deno.test("loadConfig() throws nothing but ConfigError for any tree of its own words", () => {
  fc.assert(
    fc.property(tree, (tree) => {
      onlyConfigErrors(JSON.stringify(tree), "json");
      let text: string;
      try {
        text = stringify(tree);
      } catch {
        return; // Error: a list with sections and values at once has no TOML
      }
      onlyConfigErrors(text, "toml");
    }),
    { numRuns: 500 },
  );
});

Deno.test.each(["toml", "json"] as const)(
  "loadConfig() survives %s that is nested very deeply",
  (format) => {
    const text = format === "json"
      ? `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`
      : `a = ${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    onlyConfigErrors(text, format);
  },
);

Deno.test("loadConfig() reads proxy_protocol: what is sent, and from whom one is taken", () => {
  const of = (keys: string) =>
    `[servers.a]\nbind = ":1"\ndiscovery = { kind = "static", static_list = ["b:1"] }\n` +
    `proxy_protocol = { ${keys} }\n`;
  const proxy = (keys: string) => load(of(keys)).config.servers.get("a")!.proxy;
  assert.deepEqual(proxy('version = "1"'), { send: 1, from: [], readMs: 5_000 });
  assert.deepEqual(proxy('version = "2", accept_from = ["::1"], read_timeout = "1s"'), {
    ...{ send: 2, from: ["::1"], readMs: 1_000 },
  });
  assert.deepEqual(proxy('accept_from = ["10.0.0.0/8"]'), {
    ...{ send: 0, from: ["10.0.0.0/8"], readMs: 5_000 },
  });
  assert.equal(
    failure(of("")),
    "x.toml:4: servers.a.proxy_protocol: says nothing\n" +
      "       give version, accept_from or both",
  );
  assert.deepEqual(proxy('version = "2", extras = ["ssl", "crc32c"]')?.extras, ["ssl", "crc32c"]);
  assert.equal(proxy('version = "2", extras = []')?.extras, undefined);
  assert.match(failure(of('version = "1", extras = ["ssl"]')), /extras: need version = "2"\n/);
  assert.match(failure(of('version = "2", extras = ["x"]')), /extras\.0: "x" is not possible here/);
  assert.match(failure(of('version = "3"')), /proxy_protocol\.version: "3" is not possible here/);
  assert.match(failure(of('accept_from = ["a"]')), /"a" is not an address or network/);
});

Deno.test("loadConfig() never makes a route of unknown keys one that takes everybody", () => {
  const text = `[servers.web]\nbind = ":1"\nroutes = [{ match = { host = "a" }, pool = "app" }]\n` +
    `[pools.app.discovery]\nkind = "static"\nstatic_list = ["a:80"]\n`;
  const found = "x.toml:3: servers.web.routes.0.match: says nothing\n" +
    "       give sni, alpn or client; leave it out where every client is meant";
  assert.equal(failure(text, { lenient: true }), found);
});

Deno.test("loadConfig() takes gobetween's sni, whose empty strings are its defaults", () => {
  const sni = {
    hostname_matching_strategy: "",
    unexpected_hostname_strategy: "",
    read_timeout: "",
  };
  const discovery = { kind: "static", static_list: ["a:80 sni=a.example"] };
  const text = JSON.stringify({ servers: { web: { bind: ":1", sni, discovery } } });
  const { config, warnings } = load(text, { format: "json" });
  assert.deepEqual(config.servers.get("web")!.routing, {
    routes: [],
    sni: { matching: "exact", unexpected: "default" },
    readMs: 2_000,
  });
  assert.deepEqual(warnings, []);
});

Deno.test("property: a text of a route is read as it compares, whichever way it is written", () => {
  const word = fc.stringMatching(/^[a-z0-9-]{1,8}(\.[a-z]{1,4})?$/);
  const read = (sni: unknown) => {
    const servers = { web: { bind: ":1", routes: [{ match: { sni }, pool: "p" }] } };
    const pools = { p: { discovery: { kind: "static", static_list: ["a:1"] } } };
    const { config } = load(JSON.stringify({ servers, pools }), { format: "json" });
    return config.servers.get("web")!.routing!.routes[0]!.match!.sni;
  };
  fc.assert(
    fc.property(word, (text) => {
      const is = (how: string) => [{ how, text }];
      assert.deepEqual(read(text), is("equals"));
      assert.deepEqual(read({ equals: `${text.toUpperCase()}.` }), is("equals"));
      assert.deepEqual(read([`${text}*`]), is("prefix"));
      assert.deepEqual(read({ prefix: text }), is("prefix"));
      assert.deepEqual(read(`${text}.*`), [{ how: "prefix", text: `${text}.` }]);
      assert.deepEqual(read(`*${text}.`), is("suffix"));
      assert.deepEqual(read(`*${text}`), is("suffix"));
      assert.deepEqual(read([{ Suffix: text }]), is("suffix"));
    }),
    { numRuns: 30 },
  );
});
