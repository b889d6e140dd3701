/** What `plaintext` and `json` have in common: an address of http or https, and how TLS is made. */
import type { z } from "zod";
import { httpUrl } from "../lib/config/values.ts";
import type { KeyProblem } from "../lib/kinds.ts";
import { getText } from "../lib/net/get.ts";
import { tlsFiles, tlsProblems, tlsShape } from "../lib/net/tls_keys.ts";

type Options = Readonly<Record<string, unknown>>;

/** Keys of an endpoint, before which the kind's name stands. */
export function endpointShape(name: string): z.ZodRawShape {
  return {
    [`${name}_endpoint`]: httpUrl("Where the list is, `http://…` or `https://…`."),
    ...tlsShape(name),
  };
}

/** What is wrong with these keys together. */
export function endpointProblems(name: string): (options: Options) => readonly KeyProblem[] {
  return (options) => tlsProblems(name, options);
}

/** Fetches what is there. @throws DiscoveryError */
export function textOf(
  name: string,
  options: Options,
  accept: string,
  signal: AbortSignal,
): Promise<string> {
  const url = options[`${name}_endpoint`] as string;
  return getText({ url, tls: tlsFiles(name, options), accept, signal });
}
