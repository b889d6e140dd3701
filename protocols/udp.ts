import { compileAccess } from "../lib/access.ts";
import type { Member, ServerTable } from "../lib/model.ts";
import { classify, whatHappened } from "../lib/net/errors.ts";
import {
  ACCEPT_ERRORS,
  CELLS,
  DENIED,
  EVICTED,
  NO_BACKEND,
  OVER_CAPACITY,
  OVER_LIMIT,
  OVERSIZE,
  REFUSED,
  TOTAL,
  TX,
  UNSENT,
} from "../lib/stats/layout.ts";
import { isOneWay } from "../lib/udp_spec.ts";
import type { Context } from "./context.ts";
import { HalfPlaces } from "./half_places.ts";
import type { Pools } from "./pools.ts";
import type { Server } from "./server.ts";
import { Breather } from "./breather.ts";
import { SpareBuffers } from "./spare_buffers.ts";
import { type Choice, UdpElection, type UdpTable } from "./udp_election.ts";
import { type Packet, Packets, type Sender } from "./udp_packet.ts";
import { type UdpHome, UdpSession } from "./udp_session.ts";
import { UdpSessions } from "./udp_sessions.ts";
import { openUpstream, Upstreams } from "./udp_upstream.ts";

/** Pause after a receive that failed for a reason that we don't know. */
const RECEIVE_PAUSE_MS = 20;
const NO_PORTS = "out of local ports (see net.ipv4.ip_local_port_range)";

/** A server of datagrams: one socket, in one worker, since the kernel can't share it among several. */
export class UdpServer implements Server, UdpHome {
  /** Where clients send to, and answers leave from. */
  readonly socket: Deno.DatagramConn;
  /** Chooses backends. */
  readonly election: UdpElection;
  /** Buffers of sessions that have ended. */
  readonly spares: SpareBuffers = new SpareBuffers();
  readonly #sessions = new UdpSessions<UdpSession>();
  readonly #places: HalfPlaces;
  readonly #upstreams = new Upstreams();
  #packets: Packets;
  #access: (ip: string) => boolean;
  #table: UdpTable;
  #draining = false;
  #stopped = false;

  /** Listens, beside whoever does so with the same option. @throws What `Deno.listenDatagram` throws. */
  constructor(table: ServerTable, pools: Pools, readonly context: Context) {
    this.#table = withUdp(table);
    this.#access = compileAccess(table.access);
    this.#packets = new Packets(this.#table.udp.bufferBytes);
    this.#places = new HalfPlaces(context.counters);
    this.election = new UdpElection(this.#table, pools, context);
    const { hostname, port } = table;
    this.socket = Deno.listenDatagram({ transport: "udp", hostname, port, reuseAddress: true });
    void this.#receive();
  }

  /** What it does now. */
  get table(): UdpTable {
    return this.#table;
  }

  /** Does it take no new clients? */
  get draining(): boolean {
    return this.#draining;
  }

  /** Can it use this table without another socket? */
  suits({ protocol, hostname, port }: ServerTable): boolean {
    const { table } = this;
    return protocol === "udp" && table.hostname === hostname && table.port === port;
  }

  /** Uses a new table, which it {@link suits}, from the next datagram on. */
  update(table: ServerTable): void {
    this.#table = withUdp(table);
    this.#access = compileAccess(table.access);
    this.election.update(this.#table);
    const { bufferBytes } = this.#table.udp;
    if (bufferBytes !== this.#packets.bytes) this.#packets = new Packets(bufferBytes);
    for (const session of this.#sessions) { // one that never pauses would never end
      if (!this.#access(session.client.hostname)) session.close();
    }
  }

  /** Takes no new clients; the socket closes with the last session, which may go on as long as it isn't silent. */
  finish(): Promise<void> {
    this.#draining = true;
    if (this.#sessions.size === 0) this.stop();
    return Promise.resolve();
  }

  /** Closes the socket, and all sessions, which can't do without it. Safe to call again. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.socket.close();
    this.#upstreams.close();
    for (const session of this.#sessions) session.close();
  }

  /** One bad receive must not end it. */
  async #receive(): Promise<void> {
    const breather = new Breather();
    while (!this.#stopped) {
      const packet = this.#packets.take();
      try {
        const [data, from] = await this.socket.receive(packet.buffer);
        if (!this.#handle(packet, data, from as Deno.NetAddr)) packet.packets.give(packet);
      } catch (error) {
        if (this.#stopped || classify(error) === "closed") return;
        await this.#receiveFailed(error); // the packet is left to the collector: it may be on its way
      }
      if (breather.due()) await breather.take();
    }
  }

  async #receiveFailed(error: unknown): Promise<void> {
    const { context, table: { name, slot } } = this;
    context.counters.add(slot, ACCEPT_ERRORS);
    context.log("error", "can't receive a datagram", { server: name, why: whatHappened(error) });
    await new Promise((resolve) => setTimeout(resolve, RECEIVE_PAUSE_MS));
  }

  /** Forwards a datagram. False: it goes nowhere, and the packet can be used again. */
  #handle(packet: Packet, data: Uint8Array, from: Deno.NetAddr): boolean {
    const { slot, udp } = this.#table;
    if (data.length > packet.packets.bytes) {
      this.context.counters.add(slot, OVERSIZE);
      return false;
    }
    if (isOneWay(udp)) return this.#fire(packet, data, from);
    const key = `${from.hostname} ${from.port}`;
    const session = this.#current(key, from) ?? this.#open(key, from);
    if (session === undefined) return false;
    this.election.asked(session.choice.member);
    return session.request(packet, data);
  }

  /** The client's session, unless its backend can't serve it any more and another one can. */
  #current(key: string, from: Deno.NetAddr): UdpSession | undefined {
    const session = this.#sessions.get(key);
    if (session === undefined || this.#draining) return session;
    const standing = this.election.standing(session.choice, from.hostname, session.unanswered);
    if (standing === "works") return session;
    const choice = this.election.elect(from.hostname);
    if (choice !== undefined && standing === "silent" && choice.failed) {
      this.context.counters.release(choice.member.slot); // nobody is better
      return session;
    }
    session.close();
    return choice && this.#start(key, from, choice);
  }

  /** A session for a new client; undefined: it is refused. */
  #open(key: string, from: Deno.NetAddr): UdpSession | undefined {
    if (!this.#hasRoom()) return this.#refuse(OVER_LIMIT);
    const choice = this.#admit(from.hostname);
    return choice && this.#start(key, from, choice);
  }

  /** Is there room for one more session, or can it be made? Asked first: in a flood it has to be cheap. */
  #hasRoom(): boolean {
    return this.#sessions.size < this.#limit || this.#table.udp.whenFull === "evict";
  }

  get #limit(): number {
    const { maxConnections, udp } = this.#table;
    return maxConnections === 0 ? udp.maxSessions : Math.min(udp.maxSessions, maxConnections);
  }

  /** A backend for a new client, counted; undefined: it is refused. */
  #admit(ip: string): Choice | undefined {
    if (this.#draining) return undefined;
    if (!this.#access(ip)) return this.#refuse(DENIED);
    return this.election.elect(ip) ?? this.#refuse(NO_BACKEND);
  }

  /** A session with a backend that is counted already; undefined: it is refused, and the count given back. */
  #start(key: string, from: Deno.NetAddr, choice: Choice): UdpSession | undefined {
    const { context: { counters }, table: { slot } } = this;
    const { member } = choice;
    const reason = this.#take();
    const upstream = reason === 0 ? this.#upstream(member) : undefined;
    if (upstream === undefined) {
      counters.release(member.slot);
      return this.#refuse(reason || OVER_CAPACITY);
    }
    counters.add(slot, TOTAL);
    counters.add(member.slot, TOTAL);
    const session = new UdpSession(this, key, from, choice, upstream);
    this.#sessions.add(session);
    this.election.began(from.hostname, member);
    return session;
  }

  /** A socket towards a backend; undefined where there is none, and the places are given back. */
  #upstream({ address }: Member): Deno.DatagramConn | undefined {
    const socket = this.#socketTo(() => openUpstream(address));
    if (socket === undefined) this.#giveBack(this.#table.slot);
    return socket;
  }

  #socketTo(open: () => Deno.DatagramConn): Deno.DatagramConn | undefined {
    try {
      return open();
    } catch (error) {
      // the system chooses the port: that it is taken means that there is none left
      const why = classify(error) === "in_use" ? NO_PORTS : whatHappened(error);
      this.context.log("error", "can't open a socket", { server: this.#table.name, why });
      return undefined;
    }
  }

  /** Applies the limits and counts the session; 0, or why it is refused. */
  #take(): number {
    const { context: { counters }, table: { slot } } = this;
    while (this.#sessions.size >= this.#limit) if (!this.#makeRoom()) return OVER_LIMIT;
    if (!counters.take(slot, this.#limit)) return OVER_LIMIT;
    if (this.#places.take() || (this.#makeRoom() && this.#places.take())) return 0;
    counters.release(slot);
    return OVER_CAPACITY;
  }

  /** Ends the session that has been silent for longest, where the server is told to. */
  #makeRoom(): boolean {
    const { oldest } = this.#sessions;
    if (this.#table.udp.whenFull !== "evict" || oldest === undefined) return false;
    oldest.close();
    this.context.counters.add(this.#table.slot, EVICTED);
    return true;
  }

  #giveBack(slot: number): void {
    this.#places.give();
    this.context.counters.release(slot);
  }

  /** Balances one datagram by itself, for whose answers nobody waits. */
  #fire(packet: Packet, data: Uint8Array, from: Deno.NetAddr): boolean {
    const choice = this.#admit(from.hostname);
    if (choice === undefined) return false;
    const { context: { counters }, table: { slot } } = this;
    const { address, port, slot: memberSlot } = choice.member;
    counters.release(memberSlot);
    const to: Deno.NetAddr = { transport: "udp", hostname: address, port };
    const socket = this.#socketTo(() => this.#upstreams.to(address));
    if (socket === undefined || !packet.send(data, socket, to, this.#oneWay)) {
      counters.add(slot, UNSENT);
      return false;
    }
    const { row } = counters;
    for (const each of [slot, memberSlot]) {
      row[each * CELLS + TOTAL]! += 1;
      row[each * CELLS + TX]! += data.length;
    }
    return true;
  }

  /** Whom datagrams are sent for that belong to no session. */
  readonly #oneWay: Sender = {
    inFlight: 0,
    sendFailed: () => this.context.counters.add(this.#table.slot, UNSENT),
  };

  #refuse(reason: number): undefined {
    const { context: { counters }, table: { slot } } = this;
    counters.add(slot, REFUSED);
    counters.add(slot, reason);
  }

  /** A session has sent a request, or got an answer. */
  spoke(session: UdpSession): void {
    if (!session.closed) this.#sessions.touch(session);
  }

  /** A session's client has sent all that it may. */
  spent(session: UdpSession): void {
    this.#sessions.detach(session);
  }

  /** A session has closed. */
  ended(session: UdpSession): void {
    this.#sessions.remove(session);
    this.election.ended(session.client.hostname);
    this.#giveBack(session.slot);
    if (this.#draining && this.#sessions.size === 0) this.stop();
  }
}

function withUdp(table: ServerTable): UdpTable {
  if (table.udp === undefined) throw new Error(`server ${table.name} knows no datagrams`);
  return table as UdpTable;
}
