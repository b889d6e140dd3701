import type { ConfigText } from "../config/parse.ts";
import { substitute } from "../config/variables.ts";
import type { BaseText, Source } from "./source.ts";

/** What is done to a text before it is parsed. */
export type Prepare = <T extends ConfigText | BaseText>(text: T) => T & BaseText;

/** Puts variables into a text, see {@link substitute}. */
export function withVariables(valueOf: (name: string) => string | undefined): Prepare {
  return (base) => {
    const { text, variables, warnings } = substitute(base, valueOf);
    const before: BaseText = base;
    return {
      ...base,
      text,
      variables: [...before.variables ?? [], ...variables],
      warnings: [...before.warnings ?? [], ...warnings],
    };
  };
}

/** Leaves a text as it is. */
export function asWritten<T extends ConfigText | BaseText>(text: T): T & BaseText {
  return text;
}

/** A source whose texts are prepared; it learns of the text as it was written when that is in force. */
export function prepared(source: Source, prepare: Prepare): Source {
  const written = new WeakMap<BaseText, BaseText>();
  const change = (base: BaseText) => {
    const ready = prepare(base);
    written.set(ready, base);
    return ready;
  };
  const { watch } = source;
  return {
    about: source.about,
    read: async (signal) => change(await source.read(signal)),
    ...watch === undefined ? {} : {
      watch: (events, signal) =>
        watch.call(
          source,
          { ...events, changed: (base) => events.changed(change(base)) },
          signal,
        ),
    },
    inForce: (base, log) => source.inForce?.(written.get(base) ?? base, log),
  };
}
