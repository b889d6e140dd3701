/** A server's routes as they are written: rules, each with a pool. */
import type { Section as Shown } from "../model.ts";
import type { Route, RouteMatch } from "../routing_spec.ts";
import { quote } from "./issues.ts";
import { readSection } from "./read.ts";
import type { Path, Report } from "./report.ts";
import * as schema from "./schema_routes.ts";
import { oneOf } from "./suggest.ts";

/** What routes need to know of the rest of the file. */
export type RouteSurroundings = {
  readonly pools: { readonly report: Report };
  readonly poolNames: readonly string[];
};

/** A server's routes, and how the API shows them. */
export type ReadRoutes = {
  readonly routes: readonly Route[];
  readonly shown: readonly Shown[];
  /** There are some, wrong ones included. */
  readonly some: boolean;
  /** Which one, from 0, takes everybody, if one does. */
  readonly whole: number | undefined;
};

/** Reads `[[servers.NAME.routes]]`, and reports what is wrong with it. None when it is absent. */
export function readRoutes(raw: unknown, path: Path, around: RouteSurroundings): ReadRoutes {
  const { report } = around.pools;
  if (raw !== undefined && !Array.isArray(raw)) {
    report.error(path, `${quote(raw)} is not a list\nwrite [[${path.join(".")}]] for each`);
  }
  const list: readonly unknown[] = Array.isArray(raw) ? raw : [];
  const read = list.map((one, index) => readRoute(one, [...path, index], around));
  const whole = read.findIndex((route) => route !== undefined && route.route.match === undefined);
  for (let index = whole + 1; whole >= 0 && index < list.length; index++) {
    const text = `takes nobody: route ${whole} takes every client\nput that last`;
    report.warn([...path, index], text);
  }
  const right = read.filter((route) => route !== undefined);
  return {
    routes: right.map(({ route }) => route),
    shown: right.map(({ shown }) => shown),
    some: raw !== undefined && (!Array.isArray(raw) || list.length > 0),
    whole: whole < 0 ? undefined : whole,
  };
}

/** Reports a name that no pool has. */
export function checkPool(name: string, path: Path, around: RouteSurroundings): void {
  const { poolNames, pools: { report } } = around;
  if (poolNames.includes(name)) return;
  const hint = poolNames.length === 0 ? `add [pools.${name}]` : oneOf(name, poolNames);
  report.error(path, `there is no pool ${quote(name)}\n${hint}`);
}

function readRoute(
  raw: unknown,
  path: Path,
  around: RouteSurroundings,
): { readonly route: Route; readonly shown: Shown } | undefined {
  const { report } = around.pools;
  const read = readSection(raw, schema.route, path, report);
  if (read === undefined) return undefined;
  const { given, values: { pool } } = read;
  if (pool !== undefined) checkPool(pool, [...path, "pool"], around);
  if (given["match"] === undefined) {
    return pool === undefined ? undefined : { route: { pool }, shown: { pool } };
  }
  const inner = readSection(given["match"], schema.match, [...path, "match"], report);
  if (inner === undefined) return undefined;
  const match = Object.fromEntries(
    Object.entries(inner.values).filter(([, value]) => value !== undefined),
  ) as RouteMatch;
  if (Object.keys(inner.given).length === 0) {
    const hint = "give sni, alpn or client; leave it out where every client is meant";
    report.error([...path, "match"], `says nothing\n${hint}`);
  }
  return pool === undefined
    ? undefined
    // a copy: the tables of a TOML parser are no plain objects
    : { route: { match, pool }, shown: { match: structuredClone(inner.given), pool } };
}
