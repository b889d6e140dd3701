import type { Format } from "../config/load.ts";
import type { ConfigSource } from "../control.ts";

/** The text of a configuration, and what it is called in messages. */
export type BaseText = { readonly text: string; readonly format: Format; readonly file: string };

/** Whom a source that is watched tells. */
export type SourceEvents = {
  /** The text is another one now. */
  changed(base: BaseText): void;
  /** It can't be had now, and why; told once, until it can be had again or fails for another reason. */
  failed(why: string): void;
};

/** Where a configuration comes from. */
export type Source = {
  /** As `GET /` shows it. */
  readonly about: ConfigSource;
  /** Reads it: at start, and again at each reload. @throws StartError when it can't be had. */
  read(): Promise<BaseText>;
  /**
   * Tells of each text that differs from what was read or told last, until `signal` aborts; then it resolves. It never
   * rejects. Absent: it changes only when somebody asks for a reload.
   */
  watch?(events: SourceEvents, signal: AbortSignal): Promise<void>;
};

/** A text that is known from the start. */
export function fixedSource(base: BaseText): Source {
  return { about: { kind: "arguments" }, read: () => Promise.resolve(base) };
}
