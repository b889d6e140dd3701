/** The shapes of what plugs in: a strategy, a discovery, a check is one object of these. */
import type { z } from "zod";
import type { Argv, RunProgram } from "./host/program.ts";
import type { Backend, Member } from "./model.ts";

/** What every kind has: the word that chooses it, and a line for people. */
export type Kind = {
  /** The word in the configuration and the name of its file. */
  readonly name: string;
  /** One sentence for help texts and the reference. */
  readonly summary: string;
};

/** A kind with keys of its own. The reference is made of what stands here and in the keys' schemas. */
export type KindWithKeys = Kind & {
  /** The keys of this kind alone; those that all kinds of its sort have stand in `lib/config/schema_pool.ts`. */
  readonly shape: z.ZodRawShape;
  /** Lines of TOML with the fewest of its keys that make it work; none where it needs none. */
  readonly example?: string;
};

/**
 * A strategy's view of one tier of a pool while it picks. `index` counts the tier's members in the
 * order that `build` was given.
 */
export type Candidates = {
  /** May this member take a session now: live, not draining, not full, not tried before? */
  usable(index: number): boolean;
  /** Sessions that this member has now, over all workers. */
  active(index: number): number;
  /** Bytes a second of this member, both directions, as measured last. */
  rate(index: number): number;
  /** Sessions that it had when that was measured. */
  activeThen(index: number): number;
  /** The next number of a sequence that all workers share, from 0. */
  turn(): number;
};

/** Picks a member for each new session. Built once for each table, so it may precompute. */
export type Picker = {
  /** The index of a usable member, or -1 when no member is usable. `key` identifies the client. */
  pick(candidates: Candidates, key: number): number;
};

/** How a pool chooses among its usable backends. Priorities are handled around it. */
export type StrategyKind = Kind & {
  /** True where it looks at the client's key, which isn't computed for the others. */
  readonly keyed?: boolean;
  /** Makes the picker of one tier; `members` has at least one entry, `random` gives [0, 1). */
  build(members: readonly Member[], random: () => number): Picker;
};

/** What a discovery may use while it asks. */
export type DiscoveryContext = {
  /** Aborts at the timeout and when the loop ends. */
  readonly signal: AbortSignal;
  /** Tells of an entry that was skipped, and why. */
  skip(entry: string, why: string): void;
  /** Tells how long the answer holds, when its source says so: {@link DiscoveryKind.find} is asked again then, if not sooner. */
  readonly holds?: (ms: number) => void;
  /** Runs a program. */
  readonly run: RunProgram;
};

/** What is wrong with a key because of what others say. */
export type KeyProblem = {
  readonly key: string;
  /** After a line break, what to do. */
  readonly message: string;
};

/** Where backends come from. */
// deno-lint-ignore no-explicit-any
export type DiscoveryKind<Options = any> = KindWithKeys & {
  /** True where the answer can't change while the configuration stands, so it is asked once. */
  readonly fixed?: boolean;
  /** What is wrong with keys together, each of which is right by itself; asked when the configuration is checked. */
  problems?(options: Options): readonly KeyProblem[];
  /** Asks once. Throws {@link DiscoveryError} when there is no usable answer. */
  find(options: Options, context: DiscoveryContext): Promise<readonly Backend[]>;
  /**
   * For sources that tell of changes: gives the whole list at once, and again whenever it has changed, until `signal`
   * aborts (which has no timeout here). When it throws or ends, {@link find} is asked until it succeeds, and then this
   * again. A WatchRefusedError says that it won't be any better soon: the next try comes after the interval.
   */
  watch?(options: Options, context: DiscoveryContext): AsyncIterable<readonly Backend[]>;
  /** The programs that it would run. */
  commands?(options: Options): readonly Argv[];
  /**
   * Files and sockets that it reads, sends or writes, and places that it sends this host's own tokens to. Whoever may change
   * servers through the API mustn't get at others than those of the configuration's file.
   */
  guarded?(options: Options): readonly string[];
};

/** The answer of one check. */
export type CheckResult = {
  readonly passed: boolean;
  /** What was seen, for people: "connected", "connection refused". */
  readonly text: string;
  /** The failure is our own side's (no descriptor, no port left): it says nothing about the backend. */
  readonly ours?: boolean;
  /** The answer says neither that it works nor that it doesn't: the backend stays what it is. */
  readonly unclear?: boolean;
  /** What the backend wants for itself; what is left out stays as it was told before. */
  readonly advice?: Advice;
};

/** What a backend says about itself. */
export type Advice = {
  /** Per cent of its configured weight, 0 to 256. */
  readonly weightPercent?: number;
  /** No new sessions. */
  readonly drain?: boolean;
};

/** What a check may use while it asks. */
export type CheckContext = {
  /** Aborts at the timeout and when checking ends. */
  readonly signal: AbortSignal;
  /** Runs a program. */
  readonly run: RunProgram;
};

/** What a check asks: an address literal and a port. */
export type CheckTarget = {
  /** The backend's name as configured. */
  readonly host: string;
  /** The address to dial. */
  readonly address: string;
  readonly port: number;
  /** The configuration has the check made at another address than the backend's. */
  readonly elsewhere?: boolean;
};

/** How a backend is asked whether it works. */
// deno-lint-ignore no-explicit-any
export type CheckKind<Options = any> = KindWithKeys & {
  /** What is wrong with keys together, each of which is right by itself; asked when the configuration is checked. */
  problems?(options: Options): readonly KeyProblem[];
  /** Asks once, within the context's signal. A throw counts as a failure with its message. */
  check(target: CheckTarget, options: Options, context: CheckContext): Promise<CheckResult>;
  /** The programs that it would run. */
  commands?(options: Options): readonly Argv[];
};
