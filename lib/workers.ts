import type { Clock } from "./clock.ts";
import type { DataPlane } from "./data_plane.ts";
import { StartError } from "./errors.ts";
import { fnv1a } from "./fnv.ts";
import type { Log } from "./log.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./messages.ts";
import type { PoolTable, ServerTable } from "./model.ts";
import type { Counters } from "./stats/counters.ts";
import { WorkerPlace as Place } from "./worker_place.ts";

/** A worker as this file needs it: what `new Worker` gives. */
export type WorkerLike = {
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
};

/** What the data plane is made of. */
export type WorkersOptions = {
  /** How many; each gets a row of the counters. */
  readonly count: number;
  /** Makes one; it has permission to use the network and nothing else. */
  spawn(): WorkerLike;
  readonly buffer: SharedArrayBuffer;
  readonly counters: Counters;
  readonly setup: Omit<WorkerSetup, "counters" | "workers" | "index">;
  readonly clock: Clock;
  readonly log: Log;
};

/** First and longest pause before a worker that died is replaced; doubled with each further death. */
const RESPAWN_MS = 100;
const MAX_RESPAWN_MS = 5_000;
/** A worker that has lived so long doesn't count as one of a series of deaths. */
const HEALTHY_MS = 60_000;

/**
 * The data plane as the control plane sees it: the same messages for all workers, one answer. A worker
 * that dies is replaced and told everything that holds.
 */
export class Workers implements DataPlane {
  readonly #places: Place[];
  readonly #pools = new Map<string, PoolTable>();
  readonly #servers = new Map<string, ServerTable>();
  #version = 0;
  #ended = false;

  /** Starts nothing yet. */
  constructor(readonly options: WorkersOptions) {
    this.#places = Array.from({ length: options.count }, (_, index) => new Place(index));
  }

  /** How often a worker has died and was replaced. */
  deaths = 0;

  /** Starts all workers. Resolves when they take messages. */
  async start(): Promise<void> {
    await Promise.all(this.#places.map((place) => this.#spawn(place)));
  }

  /** The version of the last message. */
  get version(): number {
    return this.#version;
  }

  /** The version that every worker has worked through. */
  seen(): number {
    return Math.min(...this.#places.map(({ index }) => this.options.counters.seen(index)));
  }

  /** How many workers there are. */
  get isolates(): number {
    return this.options.count;
  }

  /** Resolves when every worker has worked through what was sent, or after so long. */
  async settled(limitMs: number): Promise<void> {
    const { clock } = this.options;
    const version = this.#version;
    const end = clock.now() + limitMs;
    while (this.seen() < version && clock.now() < end) await clock.sleep(2);
  }

  /** Which workers take messages, for the watchdog. */
  running(): number[] {
    return this.#places.filter((place) => place.ready).map((place) => place.index);
  }

  /** Sends a pool's table. Returns its version. */
  setPool(table: PoolTable): number {
    this.#pools.set(table.name, table);
    return this.#broadcast({ kind: "pool", pool: table });
  }

  /** Makes workers forget a pool. Returns the version from which on nobody knows it. */
  forgetPool(name: string): number {
    this.#pools.delete(name);
    return this.#broadcast({ kind: "forget", pool: name });
  }

  /**
   * Makes every worker serve, or change how it serves.
   * @throws StartError when one of them can't listen; the others may be listening then.
   */
  async serve(table: ServerTable): Promise<void> {
    const before = this.#servers.get(table.name);
    if (before !== undefined && before.protocol !== table.protocol) {
      await this.stop(table.name, false);
    }
    this.#servers.set(table.name, table);
    const homes = this.#places.filter((place) => this.#serves(place, table));
    const answers = this.#answers(about(table.name), homes);
    this.#broadcast({ kind: "serve", server: table }, homes);
    const why = (await answers).find((answer) => answer !== undefined);
    if (why !== undefined) {
      throw new StartError(
        `server "${table.name}" can't listen on ${table.hostname}:${table.port}: ${why}`,
        "choose another bind, or end what listens there",
      );
    }
  }

  /** Makes every worker close a server's listener, and its sessions too with `abort`. */
  async stop(server: string, abort: boolean): Promise<void> {
    this.#servers.delete(server);
    const answers = this.#answers(about(server));
    this.#broadcast({ kind: "stop", server, abort });
    await answers;
  }

  /** Closes sessions on these backends; unless `all`, only of servers with `on_remove = "close"`. */
  cut(slots: readonly number[], all: boolean): void {
    this.#broadcast({ kind: "cut", slots, all });
  }

  /** Closes all listeners. Resolves when the last session has ended. */
  async drain(): Promise<void> {
    this.#servers.clear();
    const answers = this.#answers("drained");
    this.#broadcast({ kind: "drain" });
    await answers;
  }

  /** Ends all sessions and workers. */
  end(): void {
    this.#ended = true;
    for (const place of this.#places) {
      place.worker?.terminate();
      place.worker = undefined;
      place.ready = false;
      place.forgetAll("the worker was stopped");
    }
  }

  /** Test hook: makes one worker die or hang. */
  fault(index: number, fault: "die" | "hang"): void {
    this.#send(this.#places[index]!, { kind: "fault", fault });
  }

  /** Sends a message to all workers, or to some; all get its version. */
  #broadcast(message: ToWorker, to: readonly Place[] = this.#places): number {
    const version = ++this.#version;
    // one text for all: cheaper than a structured clone for each
    const text = JSON.stringify(message);
    const versionText = JSON.stringify({ kind: "version", version });
    for (const place of this.#places) {
      if (!place.ready) continue; // it is told everything when it is
      if (to.includes(place)) place.worker?.postMessage(text);
      place.worker?.postMessage(versionText);
    }
    return version;
  }

  /** Is this a worker in which a server lives? One of datagrams lives in one: its socket can't be shared. */
  #serves({ index }: Place, { protocol, name }: ServerTable): boolean {
    return protocol !== "udp" ||
      index === fnv1a(new TextEncoder().encode(name)) % this.#places.length;
  }

  #send(place: Place, message: ToWorker): void {
    place.worker?.postMessage(message.kind === "setup" ? message : JSON.stringify(message));
  }

  /** One answer of each running worker, or of some; undefined, or why it failed. */
  #answers(
    subject: string,
    of: readonly Place[] = this.#places,
  ): Promise<(string | undefined)[]> {
    return Promise.all(
      of.filter((place) => place.ready).map((place) => place.answer(subject)),
    );
  }

  async #spawn(place: Place): Promise<void> {
    const { options } = this;
    const worker = place.worker = options.spawn();
    place.bornAt = options.clock.now();
    const ready = place.answer("ready");
    worker.onmessage = ({ data }) => this.#receive(place, data as FromWorker);
    worker.onerror = (event) => {
      event.preventDefault(); // the process goes on
      void this.#died(place, event.message);
    };
    this.#send(place, {
      kind: "setup",
      setup: {
        ...options.setup,
        counters: options.buffer,
        workers: options.count,
        index: place.index,
      },
    });
    if (await ready !== undefined) return; // it has died; its successor is on the way
    this.#tellEverything(place);
  }

  #tellEverything(place: Place): void {
    place.ready = true;
    for (const pool of this.#pools.values()) this.#send(place, { kind: "pool", pool });
    for (const server of this.#servers.values()) {
      if (this.#serves(place, server)) this.#send(place, { kind: "serve", server });
    }
    this.#send(place, { kind: "version", version: this.#version });
  }

  #receive(place: Place, message: FromWorker): void {
    switch (message.kind) {
      case "ready":
      case "drained":
        place.settle(message.kind, undefined);
        break;
      case "listening":
      case "stopped":
        place.settle(about(message.server), undefined);
        break;
      case "failed":
        if (!place.settle(about(message.server), message.why)) {
          this.options.log.error("a new worker can't listen", { ...message });
        }
        break;
      case "log":
        this.options.log.part("worker")[message.level](message.message, message.fields);
    }
  }

  async #died(place: Place, why: string): Promise<void> {
    const { counters, log, clock } = this.options;
    if (this.#ended) return;
    place.worker?.terminate();
    place.worker = undefined;
    place.ready = false;
    place.forgetAll(`the worker died: ${why}`);
    counters.retire(place.index);
    this.deaths++;
    if (clock.now() - place.bornAt > HEALTHY_MS) place.deaths = 0;
    const pauseMs = Math.min(MAX_RESPAWN_MS, RESPAWN_MS * 2 ** place.deaths++);
    log.error("a worker died; its sessions are lost, another one takes its place", {
      worker: place.index,
      why,
      pause_ms: pauseMs,
    });
    await clock.sleep(pauseMs);
    if (!this.#ended) await this.#spawn(place);
  }
}

/** The subject of answers about a server. */
function about(server: string): string {
  return `server ${server}`;
}
