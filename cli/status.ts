import { printable } from "../lib/errors.ts";
import { askApi, type RemoteOptions } from "./remote.ts";
import type { Output } from "./output.ts";
import { printTable } from "./table.ts";

type Server = { readonly bind: string; readonly pool?: string };
type Backend = {
  readonly host: string;
  readonly port: string;
  readonly weight: number;
  readonly priority: number;
  readonly stats: {
    readonly live: boolean;
    readonly draining?: boolean;
    readonly last_check?: string;
    readonly discovered: boolean;
    readonly active_connections: number;
    readonly total_connections: number;
    readonly refused_connections: number;
    readonly rx_second: number;
    readonly tx_second: number;
  };
};
type Stats = {
  readonly active_connections: number;
  readonly rx_second: number;
  readonly tx_second: number;
  readonly backends: readonly Backend[];
  readonly refused: Readonly<Record<string, number>>;
};

const HEAD = [
  "",
  "STATE",
  "WEIGHT",
  "PRIO",
  "ACTIVE",
  "TOTAL",
  "REFUSED",
  "IN/s",
  "OUT/s",
  "LAST CHECK",
];

/** `twixt status`: a table of servers and their backends. Returns the exit code. */
export async function statusCommand(remote: RemoteOptions, output: Output): Promise<number> {
  const servers = await askApi(remote, "GET", "/servers") as Record<string, Server>;
  const rows: string[][] = [HEAD];
  for (const [name, server] of Object.entries(servers)) {
    const path = `/servers/${encodeURIComponent(name)}/stats`;
    const stats = await askApi(remote, "GET", path).catch(() => undefined) as Stats | undefined;
    if (stats === undefined) continue; // it has gone since it was listed
    rows.push(serverRow(name, server, stats), ...stats.backends.map(backendRow));
  }
  output.out(rows.length === 1 ? "no servers\n" : printTable(rows, 2, HEAD.length - 1));
  for (const line of await failingSources(remote)) output.out(`${printable(line)}\n`);
  return 0;
}

type Pools = Readonly<Record<string, { readonly discovery?: readonly Source[] }>>;
type Source = {
  readonly kind: string;
  readonly source: string;
  readonly backends?: number;
  readonly failing?: string;
  readonly failing_since?: string;
};

/** A line for each discovery that doesn't answer. */
async function failingSources(remote: RemoteOptions): Promise<string[]> {
  const pools = await askApi(remote, "GET", "/pools") as Pools;
  return Object.entries(pools).flatMap(([pool, { discovery = [] }]) =>
    discovery.filter(({ failing }) => failing !== undefined).map((one) => {
      const stays = one.backends === undefined ? "" : `; its last ${one.backends} backends stay`;
      const since = `since ${one.failing_since}`;
      return `pool ${pool}: ${one.kind} ${one.source} fails ${since}: ${one.failing}${stays}`;
    })
  );
}

function serverRow(name: string, { bind, pool }: Server, stats: Stats): string[] {
  const refused = Object.values(stats.refused ?? {}).reduce((a, b) => a + b, 0);
  return [
    ...[`${name} ${bind}${pool === undefined ? "" : ` -> ${pool}`}`, "", "", ""],
    ...[String(stats.active_connections), "", String(refused)],
    ...[bytes(stats.tx_second), bytes(stats.rx_second)],
  ];
}

function backendRow({ host, port, weight, priority, stats }: Backend): string[] {
  return [
    `  ${printable(host.includes(":") ? `[${host}]` : host)}:${port}`,
    !stats.discovered ? "leaving" : stats.draining ? "draining" : stats.live ? "live" : "down",
    ...[weight, priority, stats.active_connections, stats.total_connections].map(String),
    ...[String(stats.refused_connections), bytes(stats.tx_second), bytes(stats.rx_second)],
    shorten(stats.last_check ?? ""),
  ];
}

function shorten(text: string): string {
  return printable(text.length > 60 ? `${text.slice(0, 59)}…` : text);
}

/** `1.5M`: a count of bytes for people. */
export function bytes(count: number): string {
  const units = ["", "K", "M", "G", "T"];
  let unit = 0;
  let rest = count;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit++;
  }
  return unit === 0 ? String(rest) : `${rest.toFixed(rest < 10 ? 1 : 0)}${units[unit]}`;
}
