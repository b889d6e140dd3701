/**
 * The nftables table of one server: pure, from what the server, its pool and the flags of its backends say.
 *
 * ```text
 * prerouting, output (nat)  ─► serve ─► access rules ─► choose ─► to_ADDRESS_PORT: counted, led to the backend
 *                                           │              └─ nobody usable ─► refuse
 *                                           └─► deny ─► refuse
 * postrouting (nat)          where the client's address isn't kept: this host's in its place
 * counting (filter)          bytes of each backend, both ways; nat sees a session's first packet alone
 * ```
 */
import type { Member, ServerTable } from "../model.ts";
import { type Choice, choiceOf } from "./choice.ts";
import {
  carriedBy,
  count,
  FAMILIES,
  type Family,
  familyOf,
  field,
  from,
  goTo,
  type Json,
  match,
  ofFamily,
  place,
} from "./expressions.ts";
import { listening, ofOurs } from "./bind_rules.ts";
import { backendName, DENIED_COUNTER, NO_BACKEND_COUNTER, tableName } from "./names.ts";

/** Where a chain begins, if the kernel leads packets to it. */
export type Hook = {
  readonly type: "nat" | "filter";
  readonly hook: string;
  readonly prio: number;
};

/** A chain and its rules. */
export type Chain = {
  readonly name: string;
  readonly hook?: Hook;
  readonly rules: readonly Json[];
};

/** Everything in a table of ours but its owner's mark. */
export type Ruleset = {
  readonly table: string;
  readonly counters: readonly string[];
  readonly chains: readonly Chain[];
};

/** What a ruleset is made of. */
export type Facts = {
  readonly server: ServerTable;
  readonly strategy: string;
  /** The pool's backends, each address and port once. */
  readonly members: readonly Member[];
  readonly usable: (member: Member) => boolean;
  /** False: it takes no new sessions any more. */
  readonly serving: boolean;
};

/** Priorities of hooks: nat's own, and behind it, where packets to backends have their address already. */
const DNAT = -100;
const SNAT = 100;
const COUNTING = -90;
/** So that clients stay where they are when the rules are written anew. */
const HASH_SEED = 0x7477_6978;

/** The rules of a server. */
export function rulesetOf(facts: Facts): Ruleset {
  const { server, members, serving } = facts;
  const names = members.map(backendName);
  return {
    table: tableName(server),
    counters: [
      DENIED_COUNTER,
      NO_BACKEND_COUNTER,
      ...names.flatMap((name) => [`sessions_${name}`, `tx_${name}`, `rx_${name}`]),
    ],
    chains: [
      ...members.map((member) => leading(server, member)),
      { name: "refuse", rules: refusing(server) },
      { name: "deny", rules: [[count(DENIED_COUNTER), goTo("refuse")]] },
      { name: "choose", rules: serving ? choosing(facts) : [] },
      { name: "serve", rules: serving ? admitting(server) : [] },
      ...hooked(facts),
    ],
  };
}

function hooked({ server, members, serving }: Facts): Chain[] {
  const nat = (hook: string, prio: number): Hook => ({ type: "nat", hook, prio });
  const filter = (hook: string): Hook => ({ type: "filter", hook, prio: COUNTING });
  const arriving = serving ? listening(server, "arriving").map(to("serve")) : [];
  const leaving = serving ? listening(server, "leaving").map(to("serve")) : [];
  const ours = ofOurs(server);
  const fromOutside = match({ meta: { key: "iif" } }, "lo", "!="); // what is from here was counted on its way out
  return [
    { name: "prerouting", hook: nat("prerouting", DNAT), rules: arriving },
    { name: "output", hook: nat("output", DNAT), rules: leaving },
    { name: "postrouting", hook: nat("postrouting", SNAT), rules: hiding(server, members) },
    { name: "count", rules: counting(server, members) },
    {
      name: "count_arriving",
      hook: filter("prerouting"),
      rules: [[fromOutside, ...ours, goTo("count")]],
    },
    { name: "count_leaving", hook: filter("output"), rules: [[...ours, goTo("count")]] },
  ];
}

function to(chain: string): (conditions: readonly Json[]) => Json {
  return (conditions) => [...conditions, goTo(chain)];
}

/** To one backend. */
function leading({ protocol }: ServerTable, member: Member): Chain {
  const { address: addr, port } = member;
  const name = backendName(member);
  const dnat = { dnat: { family: familyOf(addr), addr, port } };
  return { name, rules: [[count(`sessions_${name}`), carriedBy(protocol), dnat]] };
}

/** Tells the client at once. No connection is tracked for it, so that its next packet is judged anew. */
function refusing({ protocol }: ServerTable): Json[] {
  return protocol === "tcp"
    ? [[carriedBy("tcp"), { reject: { type: "tcp reset" } }]]
    : [[{ reject: { type: "icmpx", expr: "port-unreachable" } }]];
}

/** Who may begin a session. */
function admitting({ protocol, access }: ServerTable): Json[] {
  const verdict = (allow: boolean) => goTo(allow ? "choose" : "deny");
  const flags = { "&": [field("tcp", "flags"), ["fin", "syn", "rst", "ack"]] };
  return [
    // anything else is of a connection that isn't ours: with a socket of this host, perhaps
    ...protocol === "tcp" ? [[match(flags, "syn", "!="), { return: null }]] : [],
    ...access.rules.map(({ allow, cidr }) => [
      from(cidr),
      verdict(allow),
    ]),
    [verdict(access.allowByDefault)],
  ];
}

function choosing({ strategy, members, usable }: Facts): Json[] {
  const rules = FAMILIES.flatMap((family) => {
    const own = members.filter(({ address }) => familyOf(address) === family);
    const choice = choiceOf(strategy, own, usable);
    return choice === undefined ? [] : [[ofFamily(family), electing(choice, family)]];
  });
  return [...rules, [count(NO_BACKEND_COUNTER), goTo("refuse")]];
}

function electing({ draw, modulus: mod, shares }: Choice, family: Family): Json {
  const key: Json = draw === "hash"
    ? { jhash: { mod, seed: HASH_SEED, expr: field(family, "saddr") } }
    : { numgen: { mode: draw === "turn" ? "inc" : "random", mod, offset: 0 } };
  const set = shares.map(({ member, first, last }) => [
    first === last ? first : { range: [first, last] },
    goTo(backendName(member)),
  ]);
  return { vmap: { key, data: { set } } };
}

/** This host's address in place of the client's, unless backends shall see that. */
function hiding(server: ServerTable, members: readonly Member[]): Json[] {
  if (server.forward === "transparent") return [];
  return perFamily(members).map(([family, own]) => [
    ...ofOurs(server),
    match(place(family, server.protocol, "destination"), {
      set: own.map(({ address, port }) => ({ concat: [address, port] })),
    }),
    { masquerade: null },
  ]);
}

/** Bytes to and from each backend. */
function counting({ protocol }: ServerTable, members: readonly Member[]): Json[] {
  const ways = [["original", "destination", "tx"], ["reply", "source", "rx"]] as const;
  return ways.flatMap(([direction, side, counter]) =>
    perFamily(members).map(([family, own]) => {
      const set = own.map((member) => [
        { concat: [member.address, member.port] },
        `${counter}_${backendName(member)}`,
      ]);
      return [
        match({ ct: { key: "direction" } }, direction),
        { counter: { map: { key: place(family, protocol, side), data: { set } } } },
      ];
    })
  );
}

/** The backends of each version of IP that has one. */
function perFamily(members: readonly Member[]): (readonly [Family, readonly Member[]])[] {
  return FAMILIES
    .map((family) => [family, members.filter((each) => familyOf(each.address) === family)] as const)
    .filter(([, own]) => own.length > 0);
}
