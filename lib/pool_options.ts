import type { CheckPlaces } from "./check_places.ts";
import type { Clock } from "./clock.ts";
import type { RunProgram } from "./host/program.ts";
import type { CheckKind, DiscoveryKind } from "./kinds.ts";
import type { Log } from "./log.ts";
import type { PoolTable } from "./model.ts";
import type { Names } from "./net/names.ts";
import type { Registry } from "./registry.ts";
import type { DownBackends } from "./state.ts";
import type { Counters } from "./stats/counters.ts";
import type { Slots } from "./stats/slots.ts";

/** What a pool works with, and whom it tells. */
export type PoolOptions = {
  readonly discoveries: Registry<DiscoveryKind>;
  readonly checks: Registry<CheckKind>;
  readonly counters: Counters;
  readonly slots: Slots;
  readonly names: Names;
  readonly clock: Clock;
  readonly random: () => number;
  /** Bounds the checks that run at the same time. */
  readonly checkPlaces: CheckPlaces;
  readonly log: Log;
  /** The pool's table has changed. Returns the version under which workers get it. */
  onTable(table: PoolTable): number;
  /** These backends have left the pool, or their drain is over (`drained`). */
  onLeave(slots: readonly number[], drained: boolean): void;
  /** A backend that operators have given a weight is about to have another one by its discovery. */
  onDiscoveredWeight?(): void;
  /** Runs a program, for kinds that need one. */
  readonly run: RunProgram;
  /** Checks have taken a backend down, or brought one back. */
  onHealth?(): void;
  /** Backends that count as down before their first result: the process that is taken over had found them so. */
  readonly leftDown?: DownBackends;
  /** Milliseconds since 1970, for drains with an end. */
  wallTime(): number;
};
