import type { Clock } from "../clock.ts";
import { ConfigError, messageOf, type Problem, StartError } from "../errors.ts";
import { realPathOf, replaceFile } from "../host/replace_file.ts";
import type { Log } from "../log.ts";
import { poll } from "../poll.ts";
import { readConfigFile } from "./read_file.ts";
import type { BaseText, Source, SourceEvents } from "./source.ts";

/** How the first answer of a source is waited for, and what is done without one. */
export type PatientOptions = {
  /** The file that keeps the last text that was in force. */
  readonly fallback?: string | undefined;
  /** Finds out whether a text could be put into force. @throws ConfigError when not. */
  judge(base: BaseText): void;
  /** Tells whoever has started it how it goes; there is no log yet. */
  tell(text: string): void;
  readonly clock: Clock;
  readonly random: () => number;
  /** Longest wait for the first answer; 30 s when left out. */
  readonly patienceMs?: number;
};

const PATIENCE_MS = 30_000;
/** Longest pause between two tries at the start. */
const RETRY_MS = 5_000;

/**
 * A source that is somewhere else: at the start it is asked again for a while, and where it can't be had, or holds what
 * can't be used, the last text that was in force is used, if a file was named to keep it. Later reads ask once.
 */
export function patientSource(source: Source, options: PatientOptions): Source {
  const patient = new Patient(source, options);
  const { watch } = source;
  return {
    about: source.about,
    read: (signal) => patient.read(signal),
    ...watch === undefined ? {} : {
      watch: (events: SourceEvents, signal: AbortSignal) => watch.call(source, events, signal),
    },
    inForce: (base, log) => patient.keep(base, log),
  };
}

class Patient {
  #started = false;
  /** The text that the fallback file holds, where we know it. */
  #kept: string | undefined;

  constructor(readonly source: Source, readonly options: PatientOptions) {}

  async read(signal?: AbortSignal): Promise<BaseText> {
    if (this.#started) return await this.source.read(signal);
    this.#started = true;
    let first: BaseText;
    try {
      first = await this.#first(signal);
    } catch (error) {
      if (!(error instanceof StartError) || error.usage || signal?.aborted) throw error;
      return await this.#fallBack(error);
    }
    if (this.options.fallback === undefined) return first; // whoever loads it tells what is wrong
    try {
      this.options.judge(first);
      return first;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return await this.#fallBack(error);
    }
  }

  /** The first answer, within the limit. @throws StartError */
  async #first(outer?: AbortSignal): Promise<BaseText> {
    const { clock, random, patienceMs = PATIENCE_MS, tell } = this.options;
    const stop = new AbortController();
    const end = clock.now() + patienceMs;
    let last: unknown;
    let answer: BaseText | undefined;
    const late = clock.sleep(patienceMs, AbortSignal.any([stop.signal, ...outer ? [outer] : []]))
      .then(() => stop.abort());
    await poll({
      ...{ clock, random, signal: stop.signal },
      intervalMs: RETRY_MS,
      timeoutMs: patienceMs,
      ask: (signal) => this.source.read(signal),
      onAnswer: (base) => {
        answer = base;
        return 0;
      },
      onFailure: (error) => {
        last = error;
        const left = Math.round((end - clock.now()) / 1_000);
        if (error instanceof StartError && !error.usage) {
          tell(`${error.message}; trying again for ${left} s`);
        } else stop.abort();
      },
    });
    stop.abort();
    await late;
    if (answer !== undefined) return answer;
    if (outer?.aborted) throw new StartError("told to stop before there was a configuration", "");
    throw last ?? new StartError(`no answer within ${patienceMs / 1_000} s`, "try again later");
  }

  /** The text that was in force last. @throws what kept us from having a better one, where there is none. */
  async #fallBack(why: ConfigError | StartError): Promise<BaseText> {
    const { fallback, tell } = this.options;
    if (fallback === undefined) {
      const { message, hint, usage, cause } = why as StartError;
      const keep = "--fallback FILE keeps the last good configuration for such a start";
      throw new StartError(message, `${hint}; ${keep}`, usage, cause);
    }
    if (!isThere(fallback)) {
      if (why instanceof ConfigError) throw why;
      const none = `and ${fallback} doesn't exist yet: it is written once there is an answer`;
      throw new StartError(why.message, `${why.hint}; ${none}`, why.usage, why.cause);
    }
    const base = await readConfigFile(fallback);
    const format = /^\s*\{/.test(base.text) ? "json" : "toml"; // no TOML starts like this
    this.#kept = base.text;
    const problem: Problem = {
      path: [],
      message: `RUNNING WITH THE LAST GOOD CONFIGURATION, which may be old: ${firstLine(why)}`,
      hint: "it is replaced as soon as a better one can be had",
      file: fallback,
    };
    tell(`${fallback}: ${problem.message}`);
    return { ...base, format, warnings: [problem] };
  }

  /** Keeps a text that is in force. */
  keep({ text }: BaseText, log: Log): void {
    const { fallback } = this.options;
    if (fallback === undefined || text === this.#kept) return;
    try {
      replaceFile(realPathOf(fallback), text);
      this.#kept = text;
    } catch (error) {
      log.error("the fallback file can't be written; it keeps an older configuration", {
        file: fallback,
        why: messageOf(error),
      });
    }
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound); // reading it tells what is wrong
  }
}

function firstLine({ message }: Error): string {
  return message.split("\n", 1)[0]!;
}
