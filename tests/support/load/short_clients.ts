/**
 * Many clients a second, each with a connection of its own for 100 bytes and back, in a process of its own. They come at
 * their times, whether earlier ones were served or not, as long as fewer than 1,000 wait. Run as `short_clients.ts PORT RATE`.
 */
import { classifyDial, type Happening, whatHappened } from "../../../lib/net/errors.ts";
import { writeAll } from "../backends.ts";
import { noise } from "../clients.ts";
import { say, toldToEnd } from "./told.ts";

/** What became of them. */
export type ShortReport = {
  readonly seconds: number;
  readonly clients: number;
  /** Got what they had sent, and a FIN. */
  readonly served: number;
  /** Nobody listened. */
  readonly refused: number;
  /** Were reset, connecting or later. */
  readonly reset: number;
  /** Got a FIN too early. */
  readonly cut: number;
  /** Got what they hadn't sent. */
  readonly wrong: number;
  /** Weren't served within 30 s. */
  readonly late: number;
  /** What else went wrong, up to ten. */
  readonly others: readonly string[];
  /** Served in the worst second but the first and last. */
  readonly worstSecond: number;
  /** From the start of connecting to the FIN: 99 % of those served took at most `p99`. */
  readonly ms: { readonly p50: number; readonly p99: number; readonly longest: number };
};

const BYTES = 100;
const LIMIT_MS = 30_000;
/** Clients at the same time. More don't come, but later: a machine that is short of breath gets it back. */
const AT_ONCE = 1_000;
const SENT = noise(1, 1 << 16);

class Clients {
  readonly #startedAt = performance.now();
  readonly #open = new Set<Client>();
  readonly #counts = new Map<Outcome, number>();
  readonly #others: string[] = [];
  readonly #seconds: number[] = [];
  readonly #ms: number[] = [];
  #clients = 0;

  constructor(readonly port: number, readonly rate: number) {}

  /** Starts all that are due. */
  start(): void {
    const due = Math.floor(this.rate * (performance.now() - this.#startedAt) / 1000);
    while (this.#clients < due && this.#open.size < AT_ONCE) void this.#one(this.#clients++);
  }

  async #one(index: number): Promise<void> {
    const client = new Client(this.port, index);
    this.#open.add(client);
    const outcome = await client.outcome();
    this.#open.delete(client);
    this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1);
    if (outcome === "other" && this.#others.length < 10) this.#others.push(client.why);
    if (outcome !== "served") return;
    const now = performance.now();
    this.#ms.push(now - client.startedAt);
    const second = Math.floor((now - this.#startedAt) / 1000);
    this.#seconds[second] = (this.#seconds[second] ?? 0) + 1;
  }

  /** Ends those that take too long. */
  sweep(): void {
    const before = performance.now() - LIMIT_MS;
    for (const client of this.#open) if (client.startedAt < before) client.end();
  }

  /** Waits for those that are open. */
  async report(): Promise<ShortReport> {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    while (this.#open.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const count = (outcome: Outcome) => this.#counts.get(outcome) ?? 0;
    const ms = this.#ms.sort((a, b) => a - b);
    const share = (part: number) => Math.round(ms[Math.floor((ms.length - 1) * part)] ?? 0);
    const whole = Array.from(this.#seconds.slice(1, Math.floor(seconds)), (served) => served ?? 0);
    return {
      seconds,
      clients: this.#clients,
      served: count("served"),
      refused: count("refused"),
      reset: count("reset"),
      cut: count("cut"),
      wrong: count("wrong"),
      late: count("late"),
      others: this.#others,
      worstSecond: whole.length === 0 ? count("served") : Math.min(...whole),
      ms: { p50: share(0.5), p99: share(0.99), longest: share(1) },
    };
  }
}

type Outcome = "served" | "refused" | "reset" | "cut" | "wrong" | "late" | "other";

const OUTCOMES: { readonly [happening in Happening]?: Outcome } = {
  refused: "refused",
  reset: "reset",
};

class Client {
  readonly startedAt = performance.now();
  why = "";
  readonly #late = new AbortController();
  #conn: Deno.TcpConn | undefined;

  constructor(readonly port: number, readonly index: number) {}

  /** Never throws. */
  async outcome(): Promise<Outcome> {
    try {
      return await this.#session();
    } catch (error) {
      if (this.#late.signal.aborted) return "late";
      this.why = whatHappened(error);
      return OUTCOMES[classifyDial(error)] ?? "other";
    } finally {
      if (!this.#late.signal.aborted) this.#conn?.close();
    }
  }

  async #session(): Promise<Outcome> {
    const { port, index } = this;
    const { signal } = this.#late;
    const conn = this.#conn = await Deno.connect({ hostname: "127.0.0.1", port, signal });
    const at = index * 4 % (SENT.length - BYTES); // not what its neighbours send
    await writeAll(conn, SENT.subarray(at, at + BYTES));
    await conn.closeWrite();
    const buffer = new Uint8Array(2 * BYTES);
    let length = 0;
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      for (let i = 0; i < n; i++, length++) {
        if (length >= BYTES || buffer[i] !== SENT[at + length]) return "wrong";
      }
    }
    return length === BYTES ? "served" : "cut";
  }

  /** Ends it as late. */
  end(): void {
    if (this.#late.signal.aborted) return;
    this.#late.abort();
    this.#conn?.close();
  }
}

if (import.meta.main) {
  const clients = new Clients(Number(Deno.args[0]), Number(Deno.args[1]));
  const starting = setInterval(() => clients.start(), 5);
  const sweeping = setInterval(() => clients.sweep(), 500);
  say({});
  await toldToEnd();
  clearInterval(starting);
  say(await clients.report());
  clearInterval(sweeping);
  Deno.exit();
}
