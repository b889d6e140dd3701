/** A DNS server for tests, which is silent until it is told an address. */
export class DnsServer implements AsyncDisposable {
  /** Questions so far. */
  asked = 0;
  /** What every A question is answered with; undefined: nothing, not even an error. */
  address: string | undefined;
  readonly #socket: Deno.DatagramConn;
  readonly #running: Promise<void>;

  /** Listens on port 53, which resolvers ask. The address should be a loopback one of its own. */
  constructor(readonly hostname: string) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: 53 });
    this.#running = this.#serve();
  }

  async #serve(): Promise<void> {
    const buffer = new Uint8Array(65_535);
    for (;;) {
      let question: [Uint8Array, Deno.Addr];
      try {
        question = await this.#socket.receive(buffer);
      } catch {
        return; // it was closed
      }
      this.asked++;
      const [packet, from] = question;
      if (this.address !== undefined) {
        await this.#socket.send(answer(packet, this.address.split(".").map(Number)), from);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#running;
  }
}

const HEADER_BYTES = 12;
const TYPE_A = 1;

/** The answer to a question: its address with a TTL of 1 s, or nothing where it isn't of type A. */
function answer(question: Uint8Array, address: readonly number[]): Uint8Array {
  let end = HEADER_BYTES;
  while (question[end] !== 0) end += question[end]! + 1; // labels of the name
  const type = question[end + 2]!;
  end += 5; // its end, type, class
  const records = type === TYPE_A ? 1 : 0;
  const head = question.slice(0, end);
  head.set([0x81, 0x80, 0, 1, 0, records, 0, 0, 0, 0], 2); // an answer, no error; counts
  if (records === 0) return head;
  // the name is that of the question; type A, class IN, TTL 1, four bytes
  return Uint8Array.of(...head, 0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address);
}
