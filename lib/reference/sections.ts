/** The sections of a configuration as the reference lists them. Pure. */
import type { z } from "zod";
import { listenerSections } from "../config/schema_listener.ts";
import * as schema from "../config/schema.ts";
import * as routeSchema from "../config/schema_routes.ts";
import * as poolSchema from "../config/schema_pool.ts";
import { unavailable } from "../config/unavailable.ts";
import { type KeyWords, wordsOf } from "./keys.ts";

/** A section, whatever its keys. */
export type AnySection = {
  readonly at: string;
  readonly summary: string;
  readonly keys: Readonly<Record<string, z.ZodType>>;
  readonly sections: readonly string[];
};

/** Every section that a schema describes, built or not. */
export const described: readonly AnySection[] = [
  ...Object.values(schema),
  ...[routeSchema.route, routeSchema.match],
  ...[poolSchema.pool, poolSchema.discovery, poolSchema.check],
  ...Object.values(listenerSections).map(({ section }) => section as AnySection),
];

/**
 * The sections that can be used, from the top of the file downwards; those that stand in several places come last.
 * @throws Error for one that is named inside another, can be used, and has no schema.
 */
export function usableSections(): AnySection[] {
  const found = new Set<AnySection>();
  const visit = (section: AnySection): void => {
    found.add(section);
    for (const name of section.sections) {
      const at = below(section.at, name);
      if (isRefused(at)) continue;
      const inner = described.find((each) => [at, `${at}.*`, name].includes(each.at));
      if (inner === undefined) throw new Error(`[${at}] has no schema in lib/config/schema.ts`);
      visit(inner);
    }
  };
  visit(schema.top);
  const shared: readonly AnySection[] = [poolSchema.discovery, poolSchema.check];
  return [...found].filter((section) => !shared.includes(section)).concat(shared);
}

/** The keys of a section that can be used, in the order of its schema. */
export function keysOf({ at, keys }: Pick<AnySection, "at" | "keys">): KeyWords[] {
  return Object.entries(keys)
    .map(([key, each]) => ({ key, each, place: below(at, key) }))
    .filter(({ place }) => !isRefused(place))
    .map(({ key, each, place }) => {
      const refused = unavailable.filter((one) => one.at === place).map(({ value }) => value);
      return wordsOf(key, each, refused);
    });
}

/** Is it refused whatever it says, or of no use as it can't be turned on? */
function isRefused(at: string): boolean {
  return unavailable.some((one) =>
    one.at === at && one.value === undefined || one.at === `${at}.enabled` && one.value === true
  );
}

function below(at: string, name: string): string {
  return at === "" ? name : `${at}.${name}`;
}
