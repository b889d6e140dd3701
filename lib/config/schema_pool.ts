/** The sections that make a pool, of its own or inside a server, and what all discoveries and all checks have in common. */
import { z } from "zod";
import type { Section } from "./schema.ts";
import { address, duration, text, whole } from "./values.ts";

/** The key of pools, and of servers with a pool of their own. */
export const balance: z.ZodType<string | undefined, string | undefined> = text(
  "The strategy: how a backend is chosen for each session.",
).optional()
  .meta({ form: "name of a strategy", otherwise: '`"weight"`' });

/** `[pools.NAME]`. */
export type PoolKeys = { balance: string };
/** Backends that several servers share. */
export const pool: Section<PoolKeys> = {
  at: "pools.*",
  summary: "Backends that several servers share.",
  keys: { balance },
  sections: ["discovery", "healthcheck"],
};

/** What all discoveries have in common. */
export type DiscoveryKeys = {
  kind: string;
  failpolicy: "keeplast" | "setempty";
  interval: number;
  timeout: number;
};
/** The keys of every discovery. */
export const discovery: Section<DiscoveryKeys> = {
  at: "discovery",
  summary: "`[servers.NAME.discovery]` or `[pools.NAME.discovery]`: where backends come from. " +
    "Several, written as `[[pools.NAME.discovery]]`, are merged. These keys belong to all kinds.",
  keys: {
    kind: text("Where backends come from.").meta({ form: "name of a discovery" }),
    failpolicy: z.enum(["keeplast", "setempty"])
      .describe("What a failure leaves: the last good list, or none.").default("keeplast"),
    interval: duration('Time between two questions; `"0"` asks once.').optional()
      .meta({ otherwise: '`"10s"`' }),
    timeout: duration('Limit of one question; `"0"` is 5s.').optional()
      .meta({ otherwise: '`"5s"`' }),
  },
  sections: [],
};

/** What all checks have in common. */
export type CheckKeys = {
  kind: string;
  interval: number;
  timeout: number;
  fails: number;
  passes: number;
  port: number;
  addr: string;
  initial_status: "healthy" | "unhealthy";
};
/** The keys of every check. */
export const check: Section<CheckKeys> = {
  at: "healthcheck",
  summary: "`[servers.NAME.healthcheck]` or `[pools.NAME.healthcheck]`: how backends are asked " +
    "whether they work. Without it all count as live. These keys belong to all kinds.",
  keys: {
    kind: text("How a backend is asked; `none` asks nobody.").meta({ form: "name of a check" }),
    interval: duration("Time between two checks of a backend; not 0.").optional()
      .meta({ otherwise: "required" }),
    timeout: duration('Limit of one check; `"0"` is 5s.').optional()
      .meta({ otherwise: '`"5s"`' }),
    fails: whole("Failures in a row that take a backend down; less than 1 is 1.").default(1),
    passes: whole("Passes in a row that bring it back; less than 1 is 1.").default(1),
    port: whole("Port that is checked instead of the backend's own.", 1, 65_535).optional()
      .meta({ otherwise: "the backend's own" }),
    addr: address("Address that is checked instead of the backend's own, without a port.")
      .optional().meta({ otherwise: "the backend's own" }),
    initial_status: z.enum(["healthy", "unhealthy"])
      .describe("What a backend counts as before its first results.").optional()
      .meta({ otherwise: '`"healthy"`' }),
  },
  sections: [],
};
