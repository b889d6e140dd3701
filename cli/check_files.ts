import { standIn } from "../lib/acme/stand_in.ts";
import { commandsOf } from "../lib/commands.ts";
import type { Kinds } from "../lib/config/load.ts";
import { metaOf } from "../lib/config/pool.ts";
import { StartError } from "../lib/errors.ts";
import type { Config } from "../lib/model.ts";
import { readCertificates } from "../lib/source/certificates.ts";

/** What a configuration names that isn't there, one line each. It may come yet, so nothing here is an error. */
export async function missingFiles(config: Config, kinds: Kinds): Promise<string[]> {
  const named = [...filesOf(config, kinds), ...programsOf(config, kinds)];
  const missing = await Promise.all(named.map(async ({ key, path }) => {
    const found = await Deno.stat(path).catch(() => undefined);
    return found?.isFile ? [] : [`${key}: there is no file ${path}`];
  }));
  return [...new Set(missing.flat())];
}

/** What was found when certificates were judged. */
export type JudgedCertificates = {
  /** Why they can't be used. */
  readonly errors: readonly StartError[];
  /** What is odd about the others, one line each. */
  readonly warnings: readonly string[];
};

/** Judges the certificates of all servers. */
export async function judgeCertificates(
  { servers }: Config,
  nowMs: number,
): Promise<JudgedCertificates> {
  const errors: StartError[] = [];
  const warnings: string[] = [];
  for (const spec of [...servers.values()].flatMap(({ tls }) => tls?.certificates ?? [])) {
    try {
      const judged = await readCertificates([spec], nowMs, (host) => standIn(host, nowMs));
      warnings.push(...judged.warnings);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      errors.push(error);
    }
  }
  return { errors, warnings };
}

type Named = { readonly key: string; readonly path: string };

/** Files that the keys of kinds name, and the API's certificate. */
function filesOf({ pools, api }: Config, kinds: Kinds): Named[] {
  const found: Named[] = [];
  const add = (where: string, shape: object, options: Readonly<Record<string, unknown>>) => {
    for (const [key, schema] of Object.entries(shape)) {
      const path = options[key];
      if (metaOf(schema)["file"] !== true || typeof path !== "string" || path === "") continue;
      found.push({ key: `${where}.${key}`, path });
    }
  };
  for (const { name, discoveries, check } of pools.values()) {
    for (const { kind, options } of discoveries) {
      add(`${name}.discovery`, kinds.discoveries.get(kind).shape, options);
    }
    if (check) add(`${name}.healthcheck`, kinds.checks.get(check.kind).shape, check.options);
  }
  const { certPath, keyPath } = api?.tls ?? {};
  if (certPath !== undefined) found.push({ key: "api.tls.cert_path", path: certPath });
  if (keyPath !== undefined) found.push({ key: "api.tls.key_path", path: keyPath });
  return found;
}

/** Programs that are named by their path; others are looked for in PATH. */
function programsOf(config: Config, kinds: Kinds): Named[] {
  return commandsOf(config, kinds).map(({ argv: [program = ""] }) => program)
    .filter((program) => program.includes("/"))
    .map((path) => ({ key: "exec_command", path }));
}
