/** What the program has to reach, beside what a run has found. Printed, never a failure: a figure depends on the machine. */
import { datagramUs, type Load, type ProxyResult, type Results, unitCosts } from "./results.ts";
import { median, printRatio, printSpread, ratio, type Spread, spread } from "./statistics.ts";

/** One requirement and how it is met. */
export type Target = {
  readonly what: string;
  /** The proxy's label. */
  readonly of: string;
  readonly limit: string;
  readonly is: string;
  /** `unclear`: the median says no, but some rounds say yes. */
  readonly met: "yes" | "no" | "unclear";
};

/** Most that it may cost, as a multiple of the bare loop's. */
const CPU_LIMIT = 1.05;
const MEMORY_LIMIT = 1.15;
/** As multiples of HAProxy's. */
const HANDSHAKE_LIMIT = 1;
const TLS_GB_LIMIT = 0.9;
/** As a multiple of nginx's. */
const DATAGRAM_LIMIT = 1.3;
/** Most that idle connections may raise the cost of active ones. */
const IDLE_LIMIT = 1.05;
const START_LIMIT_MS = 250;
/** Share of a short connection's CPU that the choice among 1,000 backends may take. */
const ELECTION_LIMIT = 0.02;
const SCAN_LIMIT = 0.1;
/** These look at one or two backends, the others have to look at all. */
const CHEAP = new Set(["weight", "random", "roundrobin", "p2c"]);
/** Least share of the work for each of two workers. */
const SHARE_LIMIT = 1 / 3;

const PLAIN: readonly (readonly [Load, string])[] = [
  ["keepalive", "CPU per request"],
  ["short", "CPU per short connection"],
  ["bulk", "CPU per GB"],
];

/** Everything that can be judged: what wasn't measured isn't there. */
export function judge(
  { proxies, elections }: Pick<Results, "proxies" | "elections">,
): Target[] {
  const find = (id: string) => proxies.find((proxy) => proxy.id === id);
  const bare = find("bare");
  const targets = ["twixt", "compiled"].flatMap((id) => {
    const own = find(id);
    if (own === undefined) return [];
    return [
      ...cpu(own, bare, "the bare loop's", CPU_LIMIT),
      ...cpu(own, find("gobetween")),
      ...memory(own, bare),
      ...tls(own, find("haproxy"), bare),
      ...datagrams(own, find("nginx"), "nginx's", DATAGRAM_LIMIT),
      ...datagrams(own, bare, "the bare loop's", CPU_LIMIT),
      ...idle(own),
      ...start(own),
    ];
  });
  const own = find("twixt");
  const shortUs = own === undefined ? [] : unitCosts(own, "short");
  if (shortUs.length > 0) {
    targets.push(
      ...elections.map((each) => election(each.strategy, each.ofThousandNs, median(shortUs))),
    );
  }
  return [...targets, ...sharing(find("twixt2"))];
}

function cpu(
  own: ProxyResult,
  other: ProxyResult | undefined,
  whose = "gobetween's",
  limit = 1,
): Target[] {
  if (other === undefined) return [];
  return PLAIN.flatMap(([load, what]) => {
    const values = unitCosts(own, load);
    const baseline = unitCosts(other, load);
    if (values.length === 0 || baseline.length === 0) return [];
    const times = ratio(values, baseline);
    const limitText = `${limit === 1 ? "below" : `at most ${limit} x`} ${whose}`;
    return [
      target(what, own, limitText, printRatio(times), verdict(times, limit)),
    ];
  });
}

/** Requests beside the bare loop with TLS, handshakes and large files beside HAProxy. */
function tls(
  own: ProxyResult,
  haproxy: ProxyResult | undefined,
  bare: ProxyResult | undefined,
): Target[] {
  const rows = [
    ["tls_keepalive", "CPU per request by TLS", bare, "the bare loop's", CPU_LIMIT],
    ["tls_short", "CPU per full handshake", haproxy, "HAProxy's", HANDSHAKE_LIMIT],
    ["tls_bulk", "CPU per GB by TLS", haproxy, "HAProxy's", TLS_GB_LIMIT],
  ] as const;
  return rows.flatMap(([load, what, other, whose, limit]) => {
    const values = unitCosts(own, load);
    const baseline = other === undefined ? [] : unitCosts(other, load);
    if (values.length === 0 || baseline.length === 0) return [];
    const times = ratio(values, baseline);
    return [
      target(what, own, `at most ${limit} x ${whose}`, printRatio(times), verdict(times, limit)),
    ];
  });
}

/** Datagrams beside another proxy. */
function datagrams(
  own: ProxyResult,
  other: ProxyResult | undefined,
  whose: string,
  limit: number,
): Target[] {
  const [values, baseline] = [own, other].map((each) => each === undefined ? [] : datagramUs(each));
  if (values!.length === 0 || baseline!.length === 0) return [];
  const times = ratio(values!, baseline!);
  const limitText = `at most ${limit} x ${whose}`;
  return [target("CPU per datagram", own, limitText, printRatio(times), verdict(times, limit))];
}

function memory(own: ProxyResult, bare: ProxyResult | undefined): Target[] {
  if (
    bare === undefined || own.idleBytes.length === 0 ||
    bare.idleBytes.length === 0
  ) return [];
  const times = ratio(own.idleBytes, bare.idleBytes);
  const limit = `at most ${MEMORY_LIMIT} x the bare loop's`;
  return [
    target(
      "memory per idle connection",
      own,
      limit,
      printRatio(times),
      verdict(times, MEMORY_LIMIT),
    ),
  ];
}

function idle(own: ProxyResult): Target[] {
  const { alone, besideIdle } = own.active;
  if (alone.length === 0 || besideIdle.length === 0) return [];
  const times = ratio(besideIdle, alone);
  const what = "CPU per request beside 5,000 idle connections";
  return [
    target(
      what,
      own,
      `at most ${IDLE_LIMIT} x without`,
      printRatio(times),
      verdict(times, IDLE_LIMIT),
    ),
  ];
}

function start(own: ProxyResult): Target[] {
  if (own.startMs.length === 0) return [];
  const ms = spread(own.startMs);
  return [
    target(
      "listening after its start",
      own,
      `within ${START_LIMIT_MS} ms`,
      `${printSpread(ms)} ms`,
      verdict(ms, START_LIMIT_MS),
    ),
  ];
}

function election(strategy: string, ns: number, shortUs: number): Target {
  const share = ns / 1_000 / shortUs;
  const limit = CHEAP.has(strategy) ? ELECTION_LIMIT : SCAN_LIMIT;
  return {
    what: "choice among 1,000 backends",
    of: strategy,
    limit: `at most ${percent(limit)} of a short connection`,
    is: percent(share),
    met: share <= limit ? "yes" : "no",
  };
}

function sharing(own: ProxyResult | undefined): Target[] {
  const share = own === undefined ? undefined : secondShare(own);
  if (share === undefined) return [];
  return [
    target(
      "two workers share the load",
      own!,
      "each at least a third",
      `the second has ${percent(share)}`,
      share >= SHARE_LIMIT ? "yes" : "no",
    ),
  ];
}

/** What part of the work of the two busiest threads is the second's, under short connections. */
export function secondShare({ loads }: ProxyResult): number | undefined {
  const shares = loads.short.map(({ threadSeconds: [first = 0, second = 0] }) =>
    second / (first + second)
  );
  return shares.length === 0 ? undefined : median(shares);
}

/** The median decides, unless rounds disagree. */
function verdict({ median, low }: Spread, limit: number): Target["met"] {
  return median <= limit ? "yes" : low <= limit ? "unclear" : "no";
}

/** `3.1 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function target(
  what: string,
  { label }: ProxyResult,
  limit: string,
  is: string,
  met: Target["met"],
): Target {
  return { what, of: label, limit, is, met };
}
