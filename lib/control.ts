import type { Config, ServerStatus } from "./model.ts";

/** Where the running configuration came from, as `GET /` shows it. */
export type ConfigSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "consul"; readonly host: string; readonly key: string }
  | { readonly kind: "arguments" };

/** What the API may ask of the running balancer. The supervisor answers. */
export type Control = {
  /** The configuration in force. */
  config(): Config;
  /** A server's counters now, or undefined when there is no such server. */
  status(server: string): ServerStatus | undefined;
  /** Where the configuration came from. */
  source(): ConfigSource;
  /** When the process started, milliseconds since 1970. */
  readonly startedAtMs: number;
};
