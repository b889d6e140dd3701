/** What a configuration says of routes and of names in hellos. */

/** How a text of a client's hello is compared. */
export type TextMatch = { readonly how: "equals" | "prefix" | "suffix"; readonly text: string };

/** What a route asks of a client: all that is given must hold, and of each list one. No list is empty. */
export type RouteMatch = {
  /** The name in the client's hello, in lower case; a client without one matches none. */
  readonly sni?: readonly TextMatch[];
  /** Any of the protocols that its hello offers. */
  readonly alpn?: readonly TextMatch[];
  /** Networks that its address is in. */
  readonly client?: readonly string[];
};

/** A rule that leads clients to a pool; the first that hits decides. Without `match` it always hits. */
export type Route = { readonly match?: RouteMatch; readonly pool: string };

/** How backends are chosen by the name that a client's hello asks for. */
export type SniSpec = {
  /** How a backend's `sni` is compared with it. */
  readonly matching: "exact" | "wildcard" | "regexp";
  /**
   * Who serves a name that no live backend has: those without an `sni` (clients without a name then nobody), nobody, or
   * anybody.
   */
  readonly unexpected: "default" | "reject" | "any";
};

/** What is found out about a client before a backend is chosen. */
export type RoutingSpec = {
  readonly routes: readonly Route[];
  readonly sni?: SniSpec;
  /** Longest wait for a client's hello, where it has to be read. Never 0. */
  readonly readMs: number;
};
