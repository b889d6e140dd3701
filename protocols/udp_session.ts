import { parseIPv6, printIPv6 } from "../lib/address.ts";
import type { Member, ServerTable } from "../lib/model.ts";
import { CELLS, OVERSIZE, RX, TX, UNSENT } from "../lib/stats/layout.ts";
import type { Context } from "./context.ts";
import type { OpenSession } from "./sessions.ts";
import { TICK_MS } from "./ticker.ts";
import { Breather } from "./breather.ts";
import type { SpareBuffers } from "./spare_buffers.ts";
import type { Choice, UdpElection, UdpTable } from "./udp_election.ts";
import type { Packet, Sender } from "./udp_packet.ts";
import type { Listed } from "./udp_sessions.ts";

/** What a session needs of its server. */
export type UdpHome = {
  readonly context: Context;
  readonly table: UdpTable;
  readonly election: UdpElection;
  /** Buffers of sessions that have ended. */
  readonly spares: SpareBuffers;
  /** Where answers leave from. */
  readonly socket: Deno.DatagramConn;
  /** The process ends: sessions needn't wait for their whole limit. */
  readonly draining: boolean;
  /** A session has sent a request, or got an answer. */
  spoke(session: UdpSession): void;
  /** Its client has sent all that it may; the next datagram is for another session. */
  spent(session: UdpSession): void;
  /** A session has closed. */
  ended(session: UdpSession): void;
};

/** Longest silence of a session while the process drains: a session of datagrams has no end of its own. */
const DRAIN_IDLE_MS = 5_000;

/**
 * What one client exchanges with one backend: a socket of its own towards that backend, so that answers can be told
 * apart. It ends when it has been silent for too long, or has had all its answers.
 */
export class UdpSession implements OpenSession, Listed<UdpSession>, Sender {
  /** Its index in its worker's list. */
  place: number = -1;
  /** Its neighbours in its server's list. */
  older: UdpSession | undefined;
  /** The same towards those that have spoken since. */
  newer: UdpSession | undefined;
  /** Its datagrams that are being sent. */
  inFlight: number = 0;
  /** Coarse time of its last datagram, in either direction. */
  touchedAt: number;
  /** Of its server when it began. */
  readonly slot: number;
  /** Its socket is closed and everything is given back. */
  closed: boolean = false;
  /** Its last request has no answer yet. */
  unanswered: boolean = false;
  #requests = 0;
  #responses = 0;
  /** Its client's next datagram is for another session; it only waits for answers. */
  #spent = false;
  readonly #to: Deno.NetAddr;
  readonly #host: string;

  /**
   * Takes over the socket and the counts made for it.
   * @param key Of its client.
   * @param client Where answers go.
   * @param choice Its backend, which it is counted on.
   */
  constructor(
    readonly home: UdpHome,
    readonly key: string,
    readonly client: Deno.NetAddr,
    readonly choice: Choice,
    readonly upstream: Deno.DatagramConn,
  ) {
    const { address, port } = choice.member;
    this.slot = home.table.slot;
    this.touchedAt = home.context.ticker.now;
    this.#to = { transport: "udp", hostname: address, port };
    this.#host = canonical(address);
    home.context.sessions.add(this);
    void this.#answers();
  }

  /** The backend that is leased. */
  get member(): Member {
    return this.choice.member;
  }

  /** Its server's table now. */
  get server(): ServerTable {
    return this.home.table;
  }

  /** Forwards a datagram of its client. False: it is dropped, and the packet still the caller's. */
  request(packet: Packet, data: Uint8Array): boolean {
    const { home } = this;
    const { length } = data;
    if (!packet.send(data, this.upstream, this.#to, this)) {
      home.context.counters.add(this.slot, UNSENT);
      return false;
    }
    this.#spoke(TX, length);
    this.unanswered = true;
    const { maxRequests } = home.table.udp;
    if (++this.#requests >= maxRequests && maxRequests > 0) this.#spend();
    return true;
  }

  /** Relays what the backend answers, until the session closes. Never rejects. */
  async #answers(): Promise<void> {
    const { home, upstream } = this;
    let buffer = home.spares.take(home.table.udp.bufferBytes + 1);
    const breather = new Breather();
    try {
      while (!this.closed) {
        const [data, from] = await upstream.receive(buffer);
        if (this.#isAnswer(data, from as Deno.NetAddr, buffer)) {
          try {
            await home.socket.send(data, this.client);
            this.#delivered(data.length);
          } catch {
            home.context.counters.add(this.slot, UNSENT); // the client's network may come back
          }
        }
        if (breather.due()) await breather.take();
        if (buffer.length !== home.table.udp.bufferBytes + 1) { // another size is configured now
          buffer = home.spares.take(home.table.udp.bufferBytes + 1);
        }
      }
    } catch (error) {
      // closing it ends the receive; anything else ends the session
      if (!this.closed) home.context.log("error", "a session failed", { why: String(error) });
      this.close();
    }
    home.spares.give(buffer);
  }

  /** Is it the backend's, and short enough? */
  #isAnswer(data: Uint8Array, from: Deno.NetAddr, buffer: Uint8Array): boolean {
    if (from.hostname !== this.#host) return false;
    if (from.port !== this.#to.port) {
      if (!this.home.table.udp.followPort) return false;
      this.#to.port = from.port;
    }
    this.unanswered = false;
    this.home.election.answered(this.member);
    if (data.length < buffer.length) return true;
    this.home.context.counters.add(this.slot, OVERSIZE);
    return false;
  }

  /** An answer of so many bytes has left. */
  #delivered(bytes: number): void {
    if (this.closed) return;
    this.#spoke(RX, bytes);
    const { maxResponses } = this.home.table.udp;
    if (++this.#responses < maxResponses || maxResponses === 0) return;
    if (this.#responses >= this.#requests) return this.close();
    this.#spend(); // a client that has asked twice gets both answers
  }

  /** It has sent all that it may, or had all the answers that it may have: it waits for those that are on their way. */
  #spend(): void {
    if (this.#spent) return;
    this.#spent = true;
    this.home.spent(this);
  }

  #spoke(cell: number, bytes: number): void {
    const { counters: { row }, ticker } = this.home.context;
    row[this.slot * CELLS + cell]! += bytes;
    row[this.member.slot * CELLS + cell]! += bytes;
    this.touchedAt = ticker.now;
    this.home.spoke(this);
  }

  /** A request couldn't be sent. */
  sendFailed(error: unknown): void {
    if (this.closed) return;
    this.home.context.counters.add(this.slot, UNSENT);
    this.home.election.unreachable(this.member, error);
  }

  /** Called once a tick. */
  sweep(now: number): void {
    const { draining, table: { udp: { idleMs, answerMs } } } = this.home;
    const shorterMs = this.#spent ? answerMs : draining ? DRAIN_IDLE_MS : Infinity;
    const limitMs = Math.min(idleMs, shorterMs);
    // coarse times are up to a tick old: no session may end early
    if (now - this.touchedAt > limitMs + TICK_MS) this.close();
  }

  /** Closes its socket and gives back what is counted. Safe to call again. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.upstream.close();
    this.home.ended(this);
    this.home.context.counters.release(this.member.slot);
    this.home.context.sessions.remove(this);
  }
}

/** An address as the runtime writes it: unlike `canonicalIp()` it leaves an IPv4-mapped one mapped, as answers show it. */
function canonical(address: string): string {
  const words = address.includes(":") ? parseIPv6(address) : undefined;
  return words === undefined ? address : printIPv6(words);
}
