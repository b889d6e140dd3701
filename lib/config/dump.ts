import { stringify } from "smol-toml";
import type { ConfigDocument } from "../model.ts";
import { maskSecrets } from "../mask.ts";
import type { Format } from "./parse.ts";

/** How a dump is written. */
export type DumpOptions = {
  /** Shows passwords and tokens instead of `********`. */
  readonly secrets?: boolean;
};

/**
 * A configuration as text that can be loaded again, in the order of gobetween's dump with our own keys behind. Absent
 * sections are null in JSON and left out of TOML. Passwords and tokens are masked unless `secrets` says else: a masked
 * text isn't a backup.
 */
export function dumpConfig(
  document: ConfigDocument,
  format: Format,
  options: DumpOptions = {},
): string {
  const { top, ...sections } = document;
  const tree: Record<string, unknown> = { ...sections, ...top };
  const shown = options.secrets ? tree : maskSecrets(tree);
  if (format === "json") return `${JSON.stringify(shown, null, 4)}\n`;
  return stringify(withoutNull(shown));
}

function withoutNull(value: object): object {
  return Object.fromEntries(
    Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined).map((
      [key, inner],
    ) => [key, clean(inner)]),
  );
}

function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return withoutNull(value);
}
