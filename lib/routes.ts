/** Which pool a client is led to. Pure: rules and what is known of a client -> a pool's name. */
import { compileAccess } from "./access.ts";
import type { ServerSpec } from "./model.ts";
import type { Route, RouteMatch, TextMatch } from "./routing_spec.ts";

/** What a client's hello asks for. One that doesn't speak TLS asks for nothing. */
export type Asked = {
  /** A name in lower case; empty where it names none. */
  readonly serverName: string;
  /** The protocols that it offers by ALPN. */
  readonly alpn: readonly string[];
};

/** Asks for nothing. */
export const NOTHING_ASKED: Asked = { serverName: "", alpn: [] };

/** Where a client is led: to a pool, or to none. `hello`: that depends on its hello. */
export type Choice = { readonly pool: string | undefined } | "hello";

/** Chooses a client's pool by its address and, as far as that is known, what it asks for. */
export type ChoosePool = (client: string, asked: Asked | undefined) => Choice;

type Test<T> = (value: T) => boolean;
type Rule = {
  readonly choice: Choice;
  readonly client: Test<string> | undefined;
  readonly hello: Test<Asked> | undefined;
};

/**
 * Compiles a server's routes. The first that hits decides, `pool` where none does. A rule that asks for more than an
 * address needs the hello only of clients whose address it takes and whom no rule before it has taken.
 */
export function compileRoutes(routes: readonly Route[], pool: string | undefined): ChoosePool {
  const rules = routes.map(compileRoute);
  const otherwise: Choice = { pool };
  return (client, asked) => {
    for (const rule of rules) {
      if (rule.client !== undefined && !rule.client(client)) continue;
      if (rule.hello === undefined) return rule.choice;
      if (asked === undefined) return "hello";
      if (rule.hello(asked)) return rule.choice;
    }
    return otherwise;
  };
}

/** The pools that a server may lead clients to, each once: those of its routes in order, then its own. */
export function poolsOf({ pool, routing }: Pick<ServerSpec, "pool" | "routing">): string[] {
  const routed = routing?.routes.map((route) => route.pool) ?? [];
  return [...new Set(pool === undefined ? routed : [...routed, pool])];
}

function compileRoute({ match = {}, pool }: Route): Rule {
  return { choice: { pool }, client: compileClient(match), hello: compileHello(match) };
}

function compileClient({ client }: RouteMatch): Test<string> | undefined {
  if (client === undefined) return undefined;
  const rules = client.map((cidr) => ({ allow: true, cidr }));
  return compileAccess({ allowByDefault: false, rules });
}

function compileHello({ sni, alpn }: RouteMatch): Test<Asked> | undefined {
  const names = sni === undefined ? undefined : compileTexts(sni);
  const protocols = alpn === undefined ? undefined : compileTexts(alpn);
  if (names === undefined && protocols === undefined) return undefined;
  return (asked) =>
    (names === undefined || (asked.serverName !== "" && names(asked.serverName))) &&
    (protocols === undefined || asked.alpn.some(protocols));
}

function compileTexts(matches: readonly TextMatch[]): Test<string> {
  const equal = new Set(matches.filter(({ how }) => how === "equals").map(({ text }) => text));
  const others = matches.filter(({ how }) => how !== "equals");
  return (text) =>
    equal.has(text) ||
    others.some((match) =>
      match.how === "prefix" ? text.startsWith(match.text) : text.endsWith(match.text)
    );
}
