/** Giving fields of the overlay back to the base. Pure. */
import { dropServer, type Overlay, withBackend } from "./overlay.ts";

/** Where a field of the overlay is: `["servers", "web"]`, `["pools", "web", "backends", "10.0.0.1:80", "weight"]`. */
export type FieldPath = readonly string[];

/** What was given back. */
export type Forgotten = {
  /** The fields, as {@link printPath} writes them. */
  readonly forgotten: readonly string[];
  /** `1 server added`, or `nothing changed`. */
  readonly changes: string;
};

/** `pools/web/backends/10.0.0.1:80/weight`: as it stands in a request, too. */
export function printPath(path: FieldPath): string {
  return path.map((part) => part.replace(/[\s%/?#]/g, encodeURIComponent)).join("/");
}

/** The fields of an overlay at and below a path; of the empty path, all. */
export function fieldsOf(overlay: Overlay, path: FieldPath = []): FieldPath[] {
  const servers = Object.keys(overlay.servers).map((name) => ["servers", name]);
  const backends = Object.entries(overlay.backends).flatMap(([pool, changes]) =>
    Object.entries(changes).flatMap(([key, { weight, draining }]) => {
      const backend = ["pools", pool, "backends", key];
      const weighed = weight === undefined ? [] : [[...backend, "weight"]];
      return draining ? [...weighed, [...backend, "drain"]] : weighed;
    })
  );
  return [...servers, ...backends].filter((field) => path.every((part, i) => part === field[i]));
}

/**
 * The overlay without what is at and below a path. What was changed about the backends of a server goes with it, as it
 * does when a server is removed, unless the base has a server or a pool of that name.
 */
export function forget(
  overlay: Overlay,
  path: FieldPath,
  inBase: (name: string) => boolean,
): Overlay {
  const fields = fieldsOf(overlay, path);
  const gone = fields.filter(([section, name]) => section === "servers" && !inBase(name!))
    .flatMap(([, name]) => fieldsOf(overlay, ["pools", name!]));
  return [...fields, ...gone].reduce(without, overlay);
}

function without(overlay: Overlay, [section, name, , key, field]: FieldPath): Overlay {
  if (section === "servers") return dropServer(overlay, name!);
  const change = overlay.backends[name!]?.[key!];
  if (change === undefined) return overlay; // given back already
  const { weight, weightBefore, draining, drainUntilMs } = change;
  const weighed = { weight, weightBefore };
  const drained = { draining, drainUntilMs };
  return withBackend(overlay, name!, key!, given(field === "weight" ? drained : weighed));
}

/** Without the fields that are undefined. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
