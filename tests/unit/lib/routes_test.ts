import assert from "node:assert/strict";
import fc from "fast-check";
import type { Route, TextMatch } from "../../../lib/routing_spec.ts";
import { type Asked, compileRoutes, NOTHING_ASKED, poolsOf } from "../../../lib/routes.ts";

const equals = (text: string): TextMatch => ({ how: "equals", text });
const prefix = (text: string): TextMatch => ({ how: "prefix", text });
const suffix = (text: string): TextMatch => ({ how: "suffix", text });
const asks = (serverName: string, ...alpn: string[]): Asked => ({ serverName, alpn });

const ROUTES: readonly Route[] = [
  { match: { client: ["192.0.2.0/24"] }, pool: "guests" },
  { match: { sni: [equals("a.example"), suffix(".a.example")] }, pool: "a" },
  { match: { sni: [prefix("api-")], client: ["10.0.0.0/8", "::1"] }, pool: "api" },
  { match: { alpn: [equals("acme-tls/1"), prefix("x-")] }, pool: "acme" },
  { match: { sni: [prefix("")], alpn: [equals("h2")] }, pool: "both" },
];

Deno.test.each([
  { client: "10.0.0.1", asked: asks("a.example"), pool: "a" },
  { client: "10.0.0.1", asked: asks("x.y.a.example"), pool: "a" },
  { client: "10.0.0.1", asked: asks("ba.example"), pool: "rest" },
  { client: "192.0.2.9", asked: asks("a.example"), pool: "guests" },
  { client: "::ffff:192.0.2.9", asked: asks("a.example"), pool: "guests" },
  { client: "10.0.0.1", asked: asks("api-1.example"), pool: "api" },
  { client: "::1", asked: asks("api-1.example"), pool: "api" },
  { client: "198.51.100.1", asked: asks("api-1.example"), pool: "rest" },
  { client: "10.0.0.1", asked: asks("", "http/1.1", "acme-tls/1"), pool: "acme" },
  { client: "10.0.0.1", asked: asks("a.example", "acme-tls/1"), pool: "a" },
  { client: "10.0.0.1", asked: asks("b.example", "x-1"), pool: "acme" },
  { client: "10.0.0.1", asked: asks("b.example", "h2"), pool: "both" },
  { client: "10.0.0.1", asked: asks("", "h2"), pool: "rest" },
  { client: "10.0.0.1", asked: asks("", "H2"), pool: "rest" },
  { client: "10.0.0.1", asked: NOTHING_ASKED, pool: "rest" },
])("compileRoutes() leads $client that asks for $asked to $pool", ({ client, asked, pool }) => {
  assert.deepEqual(compileRoutes(ROUTES, "rest")(client, asked), { pool });
});

Deno.test("compileRoutes() leads to no pool where no route hits and there is no other", () => {
  assert.deepEqual(compileRoutes(ROUTES, undefined)("10.0.0.1", NOTHING_ASKED), {
    pool: undefined,
  });
});

Deno.test("compileRoutes() needs no hello for whom a route by address, or one without match, decides", () => {
  const choose = compileRoutes(ROUTES, "rest");
  assert.deepEqual(choose("192.0.2.1", undefined), { pool: "guests" });
  assert.equal(choose("10.0.0.1", undefined), "hello");
  const byAddress = compileRoutes([{ match: { client: ["10.0.0.0/8"] }, pool: "in" }], "out");
  assert.deepEqual(byAddress("192.0.2.1", undefined), { pool: "out" });
  assert.deepEqual(compileRoutes([{ pool: "all" }, ...ROUTES], "rest")("10.0.0.1", undefined), {
    pool: "all",
  });
  const inside = compileRoutes([{
    match: { client: ["10.0.0.0/8"], sni: [equals("a")] },
    pool: "p",
  }], "q");
  assert.deepEqual(inside("192.0.2.1", undefined), { pool: "q" }, "the name can't matter");
});

const text = fc.stringMatching(/^[a-c.]{1,4}$/);
const texts = fc.array(
  fc.record({ how: fc.constantFrom<TextMatch["how"]>("equals", "prefix", "suffix"), text }),
  { minLength: 1, maxLength: 3 },
);
const routes = fc.array(
  fc.record({
    match: fc.record({
      sni: texts,
      alpn: texts,
      client: fc.constant(["10.0.0.0/8"]),
    }, { requiredKeys: [] }),
    pool: fc.constantFrom("a", "b", "c"),
  }),
  { maxLength: 5 },
);
const asked = fc.record({ serverName: fc.oneof(fc.constant(""), text), alpn: fc.array(text) });

/** The rule in words, once more. */
function slowly(list: readonly Route[], client: string, { serverName, alpn }: Asked) {
  const fits = (matches: readonly TextMatch[], value: string) =>
    matches.some(({ how, text }) =>
      how === "equals"
        ? value === text
        : how === "prefix"
        ? value.slice(0, text.length) === text
        : value.slice(-text.length) === text
    );
  return list.find(({ match = {} }) =>
    (match.client === undefined || client.startsWith("10.")) &&
    (match.sni === undefined || serverName !== "" && fits(match.sni, serverName)) &&
    (match.alpn === undefined || alpn.some((protocol) => fits(match.alpn!, protocol)))
  )?.pool;
}

Deno.test("property: the first route whose parts all hold decides, and with less known either the same or a hello is needed", () => {
  const client = fc.constantFrom("10.1.2.3", "192.0.2.1");
  fc.assert(fc.property(routes, client, asked, (list, client, asked) => {
    const choose = compileRoutes(list, undefined);
    const known = choose(client, asked);
    assert.deepEqual(known, { pool: slowly(list, client, asked) });
    const before = choose(client, undefined);
    if (before !== "hello") assert.deepEqual(before, known);
  }));
});

Deno.test("poolsOf() has each pool once, those of routes first", () => {
  const routing = { routes: [{ pool: "b" }, { pool: "a" }, { pool: "b" }], readMs: 1 };
  assert.deepEqual(poolsOf({ pool: "own", routing }), ["b", "a", "own"]);
  assert.deepEqual(poolsOf({ pool: "a", routing }), ["b", "a"]);
  assert.deepEqual(poolsOf({ routing }), ["b", "a"]);
  assert.deepEqual(poolsOf({ pool: "own" }), ["own"]);
});
