import type { Kind } from "./kinds.ts";

/** The kinds of one sort, found by name. Help, errors and reference docs are made from it. */
export class Registry<K extends Kind> {
  readonly #kinds: ReadonlyMap<string, K>;

  /**
   * Holds the kinds of one sort.
   *
   * @param sort What these are, as in `"x" is not a strategy`.
   * @param kinds In the order of help texts.
   * @param planned Names that the configuration knows and that aren't built yet.
   */
  constructor(
    readonly sort: string,
    kinds: readonly K[],
    readonly planned: readonly string[] = [],
  ) {
    this.#kinds = new Map(kinds.map((kind) => [kind.name, kind]));
  }

  /** The kind of that name, if there is one. */
  find(name: string): K | undefined {
    return this.#kinds.get(name);
  }

  /** The kind of that name, which the configuration's check has already found. */
  get(name: string): K {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new Error(`"${name}" is not a ${this.sort}`);
    return kind;
  }

  /** All names that can be chosen. */
  names(): string[] {
    return [...this.#kinds.keys()];
  }

  /** All kinds, in the order of help texts. */
  all(): K[] {
    return [...this.#kinds.values()];
  }
}
