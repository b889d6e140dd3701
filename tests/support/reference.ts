/** The reference of all kinds that the program has. */
import { discoveries } from "../../discovery/registry.ts";
import { checks } from "../../health/registry.ts";
import { strategies } from "../../lib/balance/registry.ts";
import type { Kinds } from "../../lib/config/load.ts";
import { referencePage } from "../../lib/reference/page.ts";
import { fromFileUrl } from "./paths.ts";

/** All kinds, as `main.ts` hands them over. */
export const allKinds: Kinds = { strategies, discoveries, checks };

/** Where the reference is kept. */
export const REFERENCE_FILE: string = fromFileUrl(
  new URL("../../docs/reference.md", import.meta.url),
);

/** What shall stand there. */
export function reference(): string {
  return referencePage(allKinds);
}
