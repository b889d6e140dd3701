/** A run's figures as Markdown, which is what a terminal shows and the documentation holds. Pure. */
import { datagramUs, type Load, type ProxyResult, type Results, unitCosts } from "./results.ts";
import { digits, median, printRatio, printSpread, ratio, spread } from "./statistics.ts";
import { judge, percent, secondShare } from "./targets.ts";

/** The whole report. */
export function report(results: Results): string {
  const parts = [
    about(results),
    loadTable(
      results,
      "keepalive",
      "Requests over 64 open connections",
      "requests/s",
    ),
    loadTable(
      results,
      "short",
      "A connection for each request, 64 at a time",
      "connections/s",
    ),
    bulkTable(results),
    tlsTable(results),
    datagramTable(results),
    restTable(results),
    electionTable(results),
    workersLine(results),
    targetTable(results),
  ];
  return parts.filter((part) => part !== "").join("\n\n") + "\n";
}

function about(
  { machine, at, rounds, proxies, missing, notes }: Results,
): string {
  const versions = proxies.filter(({ id }) => id !== "twixt2")
    .map(({ label, version }) => `${label} ${version}`);
  const lines = [
    `${at.slice(0, 10)}, ${machine}, ${rounds} rounds: median (least..greatest).`,
    `${versions.join(", ")}.`,
    ...missing.map((what) => `Missing: ${what}`),
    ...notes.map((note) => `Note: ${note}`),
  ];
  return lines.join("\n");
}

function loadTable(
  results: Results,
  load: Load,
  title: string,
  rate: string,
): string {
  const rows = measured(results, load).map((proxy) => {
    const samples = proxy.loads[load];
    return [
      proxy.label,
      digits(
        median(samples.map(({ requests, seconds }) => requests / seconds)),
      ),
      digits(median(samples.map(({ p50Us }) => p50Us / 1_000))),
      digits(median(samples.map(({ p99Us }) => p99Us / 1_000))),
      printSpread(spread(unitCosts(proxy, load))),
      ...ratios(results, proxy, (each) => unitCosts(each, load)),
      ...errors(proxy, load),
    ];
  });
  const header = [
    "proxy",
    rate,
    "p50 ms",
    "p99 ms",
    "CPU µs",
    "x HAProxy",
    "x bare loop",
  ];
  return section(title, header, rows);
}

function bulkTable(results: Results): string {
  const rows = measured(results, "bulk").map((proxy) => [
    proxy.label,
    digits(
      median(
        proxy.loads.bulk.map(({ bytes, seconds }) => bytes / 1e9 / seconds),
      ),
    ),
    printSpread(spread(unitCosts(proxy, "bulk"))),
    ...ratios(results, proxy, (each) => unitCosts(each, "bulk")),
    ...errors(proxy, "bulk"),
  ]);
  const header = ["proxy", "GB/s", "CPU s/GB", "x HAProxy", "x bare loop"];
  return section("Files of 100 MiB, 4 at a time", header, rows);
}

function tlsTable(results: Results): string {
  const loads = ["tls_keepalive", "tls_short", "tls_bulk"] as const;
  const rows = results.proxies.filter((proxy) => loads.some((load) => proxy.loads[load].length > 0))
    .map((proxy) => [
      proxy.label,
      ...loads.flatMap((load) => [
        orNone(unitCosts(proxy, load), (costs) => printSpread(spread(costs))),
        ...ratios(results, proxy, (each) => unitCosts(each, load)),
      ]),
      ...loads.flatMap((load) => errors(proxy, load)),
    ]);
  const times = ["x HAProxy", "x bare loop"];
  const header = [
    ...["proxy", "CPU µs per request", ...times],
    ...["per full handshake", ...times, "CPU s/GB", ...times],
  ];
  return section("TLS with clients, ECDSA P-256", header, rows);
}

function datagramTable(results: Results): string {
  const { proxies } = results;
  const nginx = proxies.find(({ id }) => id === "nginx");
  const rows = proxies.filter(({ datagrams }) => datagrams.length > 0).map((proxy) => {
    const lost = proxy.datagrams.reduce((sum, { lost }) => sum + lost, 0);
    return [
      proxy.label,
      digits(median(proxy.datagrams.map(({ trips, seconds }) => trips / seconds))),
      printSpread(spread(datagramUs(proxy))),
      nginx === undefined || nginx === proxy || nginx.datagrams.length === 0
        ? ""
        : printRatio(ratio(datagramUs(proxy), datagramUs(nginx))),
      ratios(results, proxy, datagramUs)[1]!,
      ...lost === 0 ? [] : [`${lost} lost`],
    ];
  });
  const header = ["proxy", "round trips/s", "CPU µs per datagram", "x nginx", "x bare loop"];
  return section("Datagrams of 1,200 bytes, 32 clients", header, rows);
}

function restTable(results: Results): string {
  const rows = results.proxies.filter(({ idleBytes, startMs }) =>
    idleBytes.length + startMs.length > 0
  )
    .map((proxy) => [
      proxy.label,
      orNone(
        proxy.idleBytes,
        (bytes) => printSpread(spread(bytes.map((each) => each / 1024))),
      ),
      ...ratios(results, proxy, (each) => each.idleBytes),
      orNone(
        proxy.active.besideIdle,
        (us) => printRatio(ratio(us, proxy.active.alone)),
      ),
      orNone(proxy.startMs, (ms) => printSpread(spread(ms))),
    ]);
  const header = [
    "proxy",
    "KiB per idle connection",
    "x HAProxy",
    "x bare loop",
    "CPU beside 5,000 idle",
    "listening after ms",
  ];
  return section("At rest", header, rows);
}

function electionTable({ elections, proxies }: Results): string {
  const twixt = proxies.find(({ id }) => id === "twixt");
  const shortUs = twixt === undefined || twixt.loads.short.length === 0
    ? undefined
    : median(unitCosts(twixt, "short"));
  const rows = elections.map(({ strategy, ofTwoNs, ofThousandNs }) => [
    strategy,
    digits(ofTwoNs),
    digits(ofThousandNs),
    shortUs === undefined ? "" : percent(ofThousandNs / 1_000 / shortUs),
  ]);
  const header = [
    "strategy",
    "of 2, ns",
    "of 1,000, ns",
    "share of a short connection",
  ];
  return section("Choosing a backend", header, rows);
}

function workersLine({ proxies }: Results): string {
  const two = proxies.find(({ id }) => id === "twixt2");
  const share = two === undefined ? undefined : secondShare(two);
  return share === undefined
    ? ""
    : `Of two workers the busier one does ${percent(1 - share)} of the work, the other ${
      percent(share)
    }.`;
}

function targetTable(results: Results): string {
  const rows = judge(results).map(({ what, of, limit, is, met }) => [
    what,
    of,
    limit,
    is,
    met,
  ]);
  return section("Targets", ["what", "of", "must be", "is", "met"], rows);
}

function measured({ proxies }: Results, load: Load): ProxyResult[] {
  return proxies.filter((proxy) => proxy.loads[load].length > 0);
}

function ratios(
  { proxies }: Results,
  own: ProxyResult,
  valuesOf: (proxy: ProxyResult) => readonly number[],
): string[] {
  return ["haproxy", "bare"].map((id) => {
    const other = proxies.find((proxy) => proxy.id === id);
    if (other === undefined || other === own) return "";
    if (valuesOf(own).length === 0 || valuesOf(other).length === 0) return "";
    return printRatio(ratio(valuesOf(own), valuesOf(other)));
  });
}

/** A last cell, only where something went wrong. */
function errors({ loads }: ProxyResult, load: Load): string[] {
  const count = loads[load].reduce((sum, { errors }) => sum + errors, 0);
  return count === 0 ? [] : [`${count} errors`];
}

function orNone(
  values: readonly number[],
  print: (values: readonly number[]) => string,
): string {
  return values.length === 0 ? "" : print(values);
}

function section(
  title: string,
  header: readonly string[],
  rows: string[][],
): string {
  return rows.length === 0 ? "" : `### ${title}\n\n${markdown(header, rows)}`;
}

/** A table whose columns are as wide as their widest cell. Rows may have more cells than the header. */
export function markdown(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const count = Math.max(header.length, ...rows.map((row) => row.length));
  const cell = (row: readonly string[], column: number) => row[column] ?? "";
  const widths = Array.from(
    { length: count },
    (_, column) =>
      Math.max(
        3,
        ...[header, ...rows].map((row) => [...cell(row, column)].length),
      ),
  );
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => cell(row, column).padEnd(width)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(header), rule, ...rows.map(line)].join("\n");
}
