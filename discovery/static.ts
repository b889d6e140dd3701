import { backendLines, parseBackendLine } from "../lib/backend_line.ts";
import type { DiscoveryKind } from "../lib/kinds.ts";
import type { Backend } from "../lib/model.ts";

/** The keys of `static`. */
export type StaticOptions = { readonly static_list: readonly string[] };

/** Backends written into the configuration. */
export const staticList: DiscoveryKind<StaticOptions> = {
  name: "static",
  summary: "Backends written into the configuration, one a string.",
  fixed: true,
  example: 'static_list = ["10.0.0.1:80 weight=2", "10.0.0.2:80"]',
  shape: {
    static_list: backendLines.describe('The backends, as in `["10.0.0.1:80 weight=2"]`.'),
  },
  // the configuration's check has parsed every line already
  find: ({ static_list }) =>
    Promise.resolve(
      static_list.map(parseBackendLine).filter((line): line is Backend => typeof line !== "string"),
    ),
};
