import { StartError } from "../lib/errors.ts";
import { printPath } from "../lib/forget.ts";
import type { Output } from "./output.ts";
import { askApi, type RemoteOptions } from "./remote.ts";
import { printTable } from "./table.ts";

/** What `GET /overlay` answers. */
type Shown = {
  readonly servers: Readonly<Record<string, { readonly bind?: string } | null>>;
  readonly backends: Readonly<Record<string, Readonly<Record<string, Backend>>>>;
  readonly conflicts: readonly ShownConflict[];
};
type Backend = {
  readonly weight?: number;
  readonly draining?: boolean;
  readonly drainUntilMs?: number;
};

/** A conflict as the API shows it. */
export type ShownConflict = {
  readonly at: string;
  readonly overlay: unknown;
  readonly base: unknown;
  readonly before: unknown;
};

/** What `twixt overlay` is asked. */
export type OverlayOptions = RemoteOptions & {
  /** Forgets everything. */
  readonly all?: boolean | undefined;
};

/** Longest value in a table. */
const MAX_WIDTH = 40;

/** `twixt overlay`: what was changed through the API, and where the configuration says else. Returns the exit code. */
export async function overlayCommand(remote: RemoteOptions, output: Output): Promise<number> {
  const { servers, backends, conflicts } = await askApi(remote, "GET", "/overlay") as Shown;
  const rows = [
    ...Object.entries(servers).map(([name, server]) => [
      printPath(["servers", name]),
      server === null ? "removed" : `added with bind ${server.bind ?? ""}`,
    ]),
    ...Object.entries(backends).flatMap(([pool, changes]) =>
      Object.entries(changes).flatMap(([key, backend]) =>
        backendRows(printPath(["pools", pool, "backends", key]), backend)
      )
    ),
  ];
  if (rows.length === 0) output.out("nothing was changed beside the configuration\n");
  else output.out(`${printTable(rows)}\n"twixt overlay forget PATH" gives one back\n`);
  if (conflicts.length > 0) output.out(`\n${conflictTable(conflicts)}`);
  return 0;
}

/** `twixt overlay forget PATH…`: gives fields back to the configuration. Returns the exit code. */
export async function forgetCommand(
  paths: readonly string[],
  { all, ...remote }: OverlayOptions,
  output: Output,
): Promise<number> {
  if ((paths.length === 0) === !all) {
    throw new StartError(
      all ? "--all and a path are two orders" : "what shall be forgotten?",
      'name paths as "twixt overlay" shows them, or --all',
      true,
    );
  }
  for (const path of all ? [""] : paths) {
    const { forgotten, changes } = await askApi(remote, "DELETE", request(path)) as {
      forgotten: readonly string[];
      changes: string;
    };
    output.out(`given back: ${forgotten.join(", ")} (${changes})\n`);
  }
  return 0;
}

/** Conflicts as people read them. */
export function conflictTable(conflicts: readonly ShownConflict[]): string {
  const head = ["CONFLICT", "IN FORCE (API)", "CONFIGURATION", "IT WAS"];
  const rows = conflicts.map(({ at, overlay, base, before }) => [
    at,
    ...[overlay, base, before].map(short),
  ]);
  return printTable([head, ...rows], head.length);
}

function backendRows(path: string, { weight, draining, drainUntilMs }: Backend): string[][] {
  const end = drainUntilMs === undefined ? "" : ` until ${new Date(drainUntilMs).toISOString()}`;
  return [
    ...weight === undefined ? [] : [[`${path}/weight`, String(weight)]],
    ...draining ? [[`${path}/drain`, `draining${end}`]] : [],
  ];
}

/** A path of the overlay as it stands in a request. It may be copied from one, too. */
function request(path: string): string {
  const parts = path.replace(/^\/?(overlay\b)?\/?/, "").split("/").filter((part) => part !== "");
  return ["/overlay", ...parts.map((part) => encodeURIComponent(decoded(part)))].join("/");
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch { // URIError: a "%" that stands for itself
    return part;
  }
}

function short(value: unknown): string {
  if (value === null) return "-";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= MAX_WIDTH ? text : `${text.slice(0, MAX_WIDTH - 1)}…`;
}
