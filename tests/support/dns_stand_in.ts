/** A DNS server for answers that no real one gives. */
import { encodeName } from "../../lib/net/dns/name.ts";
import { TcpBackend, writeAll } from "./backends.ts";
import { freePort } from "./clients.ts";

/** What is sent back for a question, one message after the other; over TCP only the first. */
export type Answerer = (question: Uint8Array, protocol: "udp" | "tcp") => readonly Uint8Array[];

/** Serves UDP and TCP on one port of loopback. */
export class DnsStandIn implements AsyncDisposable {
  readonly #tcp: TcpBackend;
  readonly #udp: Deno.DatagramConn;
  readonly #running: Promise<void>;
  /** Questions so far. */
  readonly asked: {
    readonly protocol: "udp" | "tcp";
    readonly from: number;
    readonly id: number;
  }[] = [];

  constructor(readonly answer: Answerer, port?: number) {
    this.#udp = udpSocket(port);
    this.#tcp = new TcpBackend((conn) => this.#one(conn), (this.#udp.addr as Deno.NetAddr).port);
    this.#running = this.#serve();
  }

  get port(): number {
    return this.#tcp.port;
  }

  get address(): string {
    return this.#tcp.address;
  }

  async #serve(): Promise<void> {
    const buffer = new Uint8Array(65_535);
    for (;;) {
      let question: [Uint8Array, Deno.Addr];
      try {
        question = await this.#udp.receive(buffer);
      } catch {
        return; // it was closed
      }
      const [packet, from] = question;
      this.#note("udp", packet, from);
      for (const reply of this.answer(packet.slice(), "udp")) await this.#udp.send(reply, from);
    }
  }

  async #one(conn: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(1024);
    const read = await conn.read(buffer) ?? 0;
    const question = buffer.slice(2, read);
    this.#note("tcp", question, conn.remoteAddr);
    const [reply] = this.answer(question, "tcp");
    if (reply === undefined) return void await conn.read(buffer); // silent until the client goes
    await writeAll(conn, Uint8Array.of(reply.length >> 8, reply.length & 255, ...reply));
  }

  #note(protocol: "udp" | "tcp", packet: Uint8Array, from: Deno.Addr): void {
    const id = packet[0]! * 256 + packet[1]!;
    this.asked.push({ protocol, from: (from as Deno.NetAddr).port, id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    await this.#tcp[Symbol.asyncDispose]();
    await this.#running;
  }
}

/** A record as bytes. */
export function record(name: string, type: number, data: readonly number[], ttl = 60): number[] {
  const long = [data.length >> 8, data.length & 255];
  return [...wire(name), ...[0, type, 0, 1, 0, 0, ttl >> 8, ttl & 255], ...long, ...data];
}

/** A name as bytes; "" is the root. */
export function wire(name: string): number[] {
  return name === "" ? [0] : [...encodeName(name)];
}

/** An SRV record as bytes. */
export function srvRecord(
  name: string,
  [priority, weight, port, target]: readonly [number, number, number, string],
): number[] {
  const numbers = [priority, weight, port].flatMap((value) => [value >> 8, value & 255]);
  return record(name, 33, [...numbers, ...wire(target)]);
}

/** What an answer holds beside the question. */
export type Reply = {
  readonly answers?: readonly (readonly number[])[];
  readonly additional?: readonly (readonly number[])[];
  readonly rcode?: number;
  readonly truncated?: boolean;
};

/** An answer to a question: its id and its question, and these records. */
export function reply(question: Uint8Array, what: Reply): Uint8Array<ArrayBuffer> {
  const { answers = [], additional = [], rcode = 0, truncated = false } = what;
  const counts = [1, answers.length, 0, additional.length].flatMap((n) => [n >> 8, n & 255]);
  const head = [question[0]!, question[1]!, truncated ? 0x83 : 0x81, 0x80 + rcode, ...counts];
  const { end } = questionOf(question);
  const asked = question.subarray(12, end);
  return Uint8Array.from([...head, ...asked, ...answers.flat(), ...additional.flat()]);
}

/** What a question asks for. */
export function questionOf(question: Uint8Array): { name: string; type: number; end: number } {
  let at = 12;
  const labels: string[] = [];
  for (; question[at] !== 0; at += question[at]! + 1) {
    labels.push(new TextDecoder().decode(question.subarray(at + 1, at + 1 + question[at]!)));
  }
  return { name: labels.join("."), type: question[at + 2]!, end: at + 5 };
}

/** Without a wanted port one is taken that is free for TCP, too. */
function udpSocket(wanted?: number): Deno.DatagramConn {
  for (;;) {
    const port = wanted ?? freePort();
    try {
      return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
    } catch {
      // somebody has it for UDP
    }
  }
}
