import { type Asked, NOTHING_ASKED } from "../lib/routes.ts";
import type { Buffers } from "./buffers.ts";
import { ClientHelloReader, type HelloFault, MAX_HELLO_BYTES } from "./client_hello.ts";
import type { Session } from "./session.ts";

/** Why nothing can be known: the bytes are wrong, ended in the middle of them, or the client left without a word. */
export type NotHeard = Exclude<HelloFault, "not_tls"> | "broken_off" | "left";

/**
 * Reads what a client asks for in its hello. All that was read is in `session.first` then, to be sent on. A client that
 * doesn't speak TLS asks for nothing. While it says nothing, the session's time limit closes it.
 */
export async function readHello(session: Session): Promise<Asked | NotHeard> {
  const { client, context: { buffers }, first } = session;
  const reader = new ClientHelloReader();
  let buffer = first?.buffer ?? buffers.take();
  let length = first?.length ?? 0;
  session.first = undefined;
  for (;;) {
    const result = reader.read(buffer.subarray(0, length));
    if (result !== "more") {
      session.first = { buffer, length };
      if ("hello" in result) {
        return session.asked = { ...result.hello, serverName: result.hello.serverName ?? "" };
      }
      return result.wrong === "not_tls" ? NOTHING_ASKED : result.wrong;
    }
    if (length === buffer.length) buffer = larger(buffer, buffers);
    // a reset is as good as an end, and the session's limit closes the connection
    const read = await client.read(buffer.subarray(length)).catch(() => null);
    if (read === null) {
      buffers.give(buffer);
      return length === 0 ? "left" : "broken_off";
    }
    length += read;
  }
}

/** Room for more: a hello ends within the third size of buffers, or is refused. */
function larger(buffer: Uint8Array<ArrayBuffer>, buffers: Buffers): Uint8Array<ArrayBuffer> {
  const grown = buffers.grow(buffer, MAX_HELLO_BYTES);
  grown.set(buffer); // given back, but nobody has had time to take it
  return grown;
}
