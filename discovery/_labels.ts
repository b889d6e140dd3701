/** Labels of containers that say something of a backend. Pure. */
import { parseFact } from "../lib/backend_fields.ts";
import type { Backend } from "../lib/model.ts";

/** What labels can say. */
export type Labelled = Pick<Backend, "weight" | "priority" | "maxConnections" | "sni">;

/**
 * What labels say of a backend; a string says which is wrong. Their names begin with `prefix`; for the server name a bare
 * `sni` does as well, as in gobetween.
 */
export function labelled(
  labels: Readonly<Record<string, string>>,
  prefix = "twixt.",
): Labelled | string {
  const wrong: string[] = [];
  const number = (name: string, other: number): number => {
    const text = labels[prefix + name];
    if (text === undefined) return other;
    const value = parseFact(text);
    if (value !== undefined) return value;
    const shown = JSON.stringify(text.slice(0, 40));
    wrong.push(`its label ${prefix}${name} is ${shown}, no number from 0`);
    return other;
  };
  const sni = labels[`${prefix}sni`] ?? labels["sni"] ?? "";
  if (/\s/.test(sni)) wrong.push("its label sni has a blank in it");
  const found = {
    weight: number("weight", 1),
    priority: number("priority", 1),
    maxConnections: number("max_connections", 0),
    sni,
  };
  return wrong[0] ?? found;
}
