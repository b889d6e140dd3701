/** Datagrams that a server may be sending at the same time: what is over is dropped and counted. */
const MOST_IN_FLIGHT = 256;
/** The same of one session, so that one backend that can't be reached holds up nobody else. */
const SESSION_IN_FLIGHT = 64;

/** Who a datagram is sent for. */
export type Sender = {
  /** Its datagrams that are being sent. */
  inFlight: number;
  /** One couldn't be sent. */
  sendFailed(error: unknown): void;
};

/**
 * The memory for one datagram, from its arrival until it is sent. The first send of a socket takes its time, so the
 * memory can't be used again as soon as the send has been called.
 */
export class Packet {
  #sender: Sender | undefined;
  readonly #sent = () => {
    this.#back();
  };
  readonly #failed = (error: unknown) => {
    const sender = this.#back();
    sender.sendFailed(error);
  };

  /** Is free. @param buffer A byte longer than datagrams may be, so that longer ones can be told. */
  constructor(readonly buffer: Uint8Array<ArrayBuffer>, readonly packets: Packets) {}

  /** Sends what is in it and gives it back. False: there is too much to be sent already; then the caller gives it back. */
  send(
    data: Uint8Array,
    socket: Deno.DatagramConn,
    to: Deno.NetAddr,
    sender: Sender,
  ): boolean {
    const { packets } = this;
    if (packets.inFlight >= MOST_IN_FLIGHT || sender.inFlight >= SESSION_IN_FLIGHT) return false;
    packets.inFlight++;
    sender.inFlight++;
    this.#sender = sender;
    socket.send(data, to).then(this.#sent, this.#failed);
    return true;
  }

  #back(): Sender {
    const sender = this.#sender!;
    this.#sender = undefined;
    this.packets.inFlight--;
    sender.inFlight--;
    this.packets.give(this);
    return sender;
  }
}

/** The packets of one server, used again and again. */
export class Packets {
  readonly #free: Packet[] = [];
  /** Those that are being sent. */
  inFlight = 0;

  /** Makes them as they are needed, each for datagrams of up to `bytes`. */
  constructor(readonly bytes: number) {}

  /** A packet, to be sent or given back. */
  take(): Packet {
    return this.#free.pop() ?? new Packet(new Uint8Array(this.bytes + 1), this);
  }

  /** Takes a packet back. */
  give(packet: Packet): void {
    this.#free.push(packet);
  }
}
