/** One question and its answer, over UDP or TCP. Sockets are closed when the promise settles. */
import { isIPv6, parseIPv6, printHostPort } from "../../address.ts";
import { whatHappened } from "../errors.ts";
import {
  answersTo,
  decodeMessage,
  encodeQuestion,
  type Message,
  type Question,
} from "./message.ts";

/** Whom to ask: an address literal and a port. */
export type DnsServerAddress = { readonly address: string; readonly port: number };

/** How a question goes there. */
export type DnsProtocol = "udp" | "tcp";

/** Asks once. @throws Error with the name of the server and what happened, also when `signal` aborts. */
export async function exchange(
  server: DnsServerAddress,
  protocol: DnsProtocol,
  question: Question,
  signal: AbortSignal,
): Promise<Message> {
  const shown = `the DNS server ${printHostPort(server.address, server.port)}`;
  try {
    signal.throwIfAborted();
    return await (protocol === "udp" ? overUdp : overTcp)(server, question, signal);
  } catch (error) {
    if (signal.aborted) throw new Error(`${shown} doesn't answer`, { cause: error });
    throw new Error(`${shown}: ${whatHappened(error)}`, { cause: error });
  }
}

async function overUdp(
  server: DnsServerAddress,
  question: Question,
  signal: AbortSignal,
): Promise<Message> {
  const hostname = isIPv6(server.address) ? "::" : "0.0.0.0";
  // the system takes a port by chance, which makes answers hard to forge, as the id does
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  using _socket = closedOnce(socket, signal);
  const { address, port } = server;
  await socket.send(encodeQuestion(question), { transport: "udp", hostname: address, port });
  const buffer = new Uint8Array(65_535);
  for (;;) {
    const [packet, from] = await socket.receive(buffer);
    if (from.transport !== "udp" || from.port !== port || !sameAddress(from.hostname, address)) {
      continue;
    }
    // a late answer to another question, or a forged one
    if (packet.length < 2 || packet[0]! * 256 + packet[1]! !== question.id) continue;
    const message = decodeMessage(packet);
    if (answersTo(message, question)) return message;
  }
}

async function overTcp(
  server: DnsServerAddress,
  question: Question,
  signal: AbortSignal,
): Promise<Message> {
  const { address: hostname, port } = server;
  const conn = await Deno.connect({ transport: "tcp", hostname, port, signal });
  using _conn = closedOnce(conn, signal);
  const asked = encodeQuestion(question);
  const framed = Uint8Array.of(asked.length >> 8, asked.length & 255, ...asked);
  for (let at = 0; at < framed.length;) at += await conn.write(framed.subarray(at));
  const size = await readExactly(conn, 2);
  const message = decodeMessage(await readExactly(conn, size[0]! * 256 + size[1]!));
  if (!answersTo(message, question)) throw new Error("it answers what wasn't asked");
  return message;
}

async function readExactly(conn: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const read = await conn.read(bytes.subarray(at));
    if (read === null) throw new Error("it closed the connection before its answer was complete");
    at += read;
  }
  return bytes;
}

/** Closes it when it is left or when `signal` aborts, whatever comes first. */
function closedOnce(open: { close(): void }, signal: AbortSignal): Disposable {
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    signal.removeEventListener("abort", close);
    open.close();
  };
  if (signal.aborted) close();
  else signal.addEventListener("abort", close);
  return { [Symbol.dispose]: close };
}

function sameAddress(one: string, other: string): boolean {
  return one === other || (isIPv6(one) && isIPv6(other) &&
    parseIPv6(one)!.join() === parseIPv6(other)!.join());
}
