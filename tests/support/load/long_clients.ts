/**
 * Connections that stay open and move bytes, in a process of its own: so many at any time, each with noise of its own,
 * a little every 300 ms, and every byte that comes back is compared. Half of them stay until the end, the others for 2
 * to 12 s, then another takes the place. Run as `long_clients.ts PORT COUNT`.
 */
import { classifyDial } from "../../../lib/net/errors.ts";
import { writeAll } from "../backends.ts";
import { noise, pause } from "../clients.ts";
import { say, toldToEnd } from "./told.ts";

/** What became of them. */
export type LongReport = {
  /** Connections over which bytes have moved. */
  readonly sessions: number;
  /** Those that got back all they had sent, in order, and a FIN when they had ended their side. */
  readonly exact: number;
  /** How the others ended, and how often: `reset`, `cut` (a FIN too early), `wrong`, `late` (no FIN within 30 s) ... */
  readonly broken: Readonly<Record<string, number>>;
  /** Attempts that failed before a byte came back, by what happened; another was tried soon after. */
  readonly notOpened: Readonly<Record<string, number>>;
  readonly bytes: number;
  /** The longest that some bytes were under way. */
  readonly longestMs: number;
};

const PIECE = 200;
const PAUSE_MS = 300;
const STAY_MS = { least: 2_000, most: 12_000 };
const END_MS = 30_000;
/** Length after which the noise repeats: prime, so that pieces never do in step with it. */
const PERIOD = 4_093;

class Clients {
  readonly #stop = new AbortController();
  readonly #broken = new Map<string, number>();
  readonly #notOpened = new Map<string, number>();
  readonly #running: Promise<unknown>;
  #sessions = 0;
  #exact = 0;
  #bytes = 0;
  #longestMs = 0;
  #open = 0;
  #seed = 0;

  constructor(readonly port: number, count: number, onReady: () => void) {
    const places = Array.from({ length: count }, (_, place) =>
      this.#place(place, () => {
        if (++this.#open === count) onReady();
      }));
    this.#running = Promise.all(places);
  }

  /** One connection after another. */
  async #place(place: number, onFirst: () => void): Promise<void> {
    const { signal } = this.#stop;
    await pause(place % 100 * PAUSE_MS / 100); // spread over time
    let first = true;
    while (!signal.aborted) {
      const seed = this.#seed++;
      const untilMs = place % 2 === 0 ? Infinity : performance.now() + stay(seed);
      const session = new Session(seed, untilMs, signal, () => {
        this.#sessions++;
        if (first) onFirst();
        first = false;
      });
      this.#take(session, await session.run(this.port));
      if (session.received === 0) await pause(100);
    }
  }

  #take({ received, sent, longestMs }: Session, end: string): void {
    this.#bytes += received;
    this.#longestMs = Math.max(this.#longestMs, longestMs);
    if (received > 0 && end === "exact") this.#exact++;
    else if (received > 0) add(this.#broken, end);
    else if (sent > 0 || end !== "exact") add(this.#notOpened, end);
  }

  /** Ends them all on their side and waits for the rest. */
  async report(): Promise<LongReport> {
    this.#stop.abort();
    await this.#running;
    return {
      sessions: this.#sessions,
      exact: this.#exact,
      broken: Object.fromEntries(this.#broken),
      notOpened: Object.fromEntries(this.#notOpened),
      bytes: this.#bytes,
      longestMs: Math.round(this.#longestMs),
    };
  }
}

/** How long a connection stays, in milliseconds: any time between the two limits, the same in each run. */
function stay(seed: number): number {
  return STAY_MS.least + seed * 0.618_034 % 1 * (STAY_MS.most - STAY_MS.least);
}

function add(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

class Session {
  sent = 0;
  received = 0;
  longestMs = 0;
  #sentAt = 0;
  #ended = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #noise: Uint8Array<ArrayBuffer>;

  constructor(
    seed: number,
    readonly untilMs: number,
    readonly stop: AbortSignal,
    readonly onFirst: () => void,
  ) {
    this.#noise = noise(seed, PERIOD);
  }

  /** How it ended: `exact`, or what was wrong. */
  async run(port: number): Promise<string> {
    let conn: Deno.TcpConn;
    try {
      conn = await Deno.connect({ hostname: "127.0.0.1", port });
    } catch (error) {
      return classifyDial(error);
    }
    const late = () => conn.close();
    try {
      const [end] = await Promise.all([this.#read(conn), this.#write(conn, late)]);
      return end;
    } catch (error) {
      this.#ended = true;
      return classifyDial(error) === "closed" ? "late" : classifyDial(error);
    } finally {
      clearTimeout(this.#timer);
      try {
        conn.close();
      } catch {
        // BadResource: it was late
      }
    }
  }

  async #write(conn: Deno.TcpConn, late: () => void): Promise<void> {
    while (!this.stop.aborted && performance.now() < this.untilMs && !this.#ended) {
      const at = this.sent % PERIOD;
      const piece = this.#noise.subarray(at, Math.min(at + PIECE, PERIOD));
      this.sent += piece.length;
      this.#sentAt = performance.now();
      await writeAll(conn, piece);
      await pause(PAUSE_MS);
    }
    if (this.#ended) return;
    this.#ended = true;
    this.#timer = setTimeout(late, END_MS);
    await conn.closeWrite();
  }

  async #read(conn: Deno.TcpConn): Promise<string> {
    const buffer = new Uint8Array(1024);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      for (let i = 0; i < n; i++) {
        if (buffer[i] !== this.#noise[(this.received + i) % PERIOD]) return this.#over("wrong");
      }
      if (this.received === 0) this.onFirst();
      this.received += n;
      if (this.received > this.sent) return this.#over("wrong");
      if (this.received === this.sent) this.#waited();
    }
    return this.#ended && this.received === this.sent ? "exact" : this.#over("cut");
  }

  #waited(): void {
    this.longestMs = Math.max(this.longestMs, performance.now() - this.#sentAt);
  }

  /** Tells the writer that it may stop. */
  #over(why: string): string {
    this.#ended = true;
    return why;
  }
}

if (import.meta.main) {
  const clients = new Clients(Number(Deno.args[0]), Number(Deno.args[1]), () => say({}));
  await toldToEnd();
  say(await clients.report());
  Deno.exit();
}
