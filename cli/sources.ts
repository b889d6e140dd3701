import { systemClock } from "../lib/clock.ts";
import type { Kinds } from "../lib/config/load.ts";
import { parseDuration } from "../lib/duration.ts";
import { effective } from "../lib/effective.ts";
import { StartError } from "../lib/errors.ts";
import { probeFile } from "../lib/host/replace_file.ts";
import { NO_OVERLAY } from "../lib/overlay.ts";
import { consulSource } from "../lib/source/consul.ts";
import { fileSource } from "../lib/source/file.ts";
import { patientSource } from "../lib/source/patient.ts";
import type { Source } from "../lib/source/source.ts";
import { urlSource } from "../lib/source/url.ts";
import { asWritten, type Prepare, prepared, withVariables } from "../lib/source/variables.ts";
import type { Output } from "./output.ts";

/** What the command line says about every source. */
export type SourceOptions = {
  readonly format?: "toml" | "json" | undefined;
  /** Puts variables of the environment into the text. */
  readonly useConfigEnvVars?: boolean | undefined;
};

/** What it says about one that is somewhere else. */
export type RemoteSourceOptions = SourceOptions & {
  readonly fallback?: string | undefined;
  /** The file of an authority to trust. */
  readonly ca?: string | undefined;
  readonly lenient?: boolean | undefined;
};

/** What a source that is somewhere else needs of whoever starts it. */
export type Starter = { readonly kinds: Kinds; readonly output: Output };

/** A configuration file. */
export function fromFile(path: string, options: SourceOptions): Source {
  const prepare = prepareOf(options);
  return fileSource(path, systemClock, { format: options.format, prepare });
}

/** A configuration from a URL. @throws StartError when the options are wrong. */
export function fromUrl(
  url: string,
  options: RemoteSourceOptions & { readonly interval: string },
  starter: Starter,
): Source {
  const intervalMs = parseDuration(options.interval);
  if (intervalMs === undefined) {
    throw new StartError(
      `--interval "${options.interval}" is not a duration`,
      'write a number and a unit, for example "30s"; 0 looks only when told to reload',
      true,
    );
  }
  const source = urlSource(url, {
    ...{ format: options.format, intervalMs, caFile: options.ca },
    ...{ clock: systemClock, random: Math.random },
  });
  return lasting(source, options, starter);
}

/** What the command line says about Consul. */
export type ConsulSourceOptions = RemoteSourceOptions & {
  readonly key: string;
  readonly scheme: "http" | "https";
  readonly dc?: string | undefined;
};

/** A configuration from Consul's key-value store. @throws StartError when the options are wrong. */
export function fromConsul(
  address: string,
  options: ConsulSourceOptions,
  starter: Starter,
): Source {
  const source = consulSource(address, {
    ...{ key: options.key, scheme: options.scheme, format: options.format },
    ...{ datacenter: options.dc, caFile: options.ca },
    token: {
      value: Deno.env.get("CONSUL_HTTP_TOKEN") || undefined,
      file: Deno.env.get("CONSUL_HTTP_TOKEN_FILE") || undefined,
    },
    ...{ clock: systemClock, random: Math.random },
  });
  return lasting(source, options, starter);
}

/** Waits for the first answer, and keeps the last good one where there is a file for it. */
function lasting(
  source: Source,
  options: RemoteSourceOptions,
  { kinds, output }: Starter,
): Source {
  const { fallback, lenient = false } = options;
  if (fallback !== undefined) probeFile(fallback, "fallback file");
  const prepare = prepareOf(options);
  const patient = patientSource(source, {
    fallback,
    judge: (base) => void effective(prepare(base), NO_OVERLAY, { kinds, lenient, overlayFile: "" }),
    tell: (text) => output.err(`warning: ${text}\n`),
    ...{ clock: systemClock, random: Math.random },
  });
  return prepared(patient, prepare); // the fallback file gets the text as it was written, without secrets
}

function prepareOf({ useConfigEnvVars }: SourceOptions): Prepare {
  return useConfigEnvVars ? withVariables(variable) : asWritten;
}

function variable(name: string): string | undefined {
  return /^[^=\0]+$/.test(name) ? Deno.env.get(name) : undefined; // the runtime throws for any other name
}
