/** The PROXY protocol on the wire: a header to a backend, and one from a proxy in front. */
import type { Place, Session } from "./session.ts";
import type { Endpoint } from "./proxy_header.ts";
import { ProxyReader } from "./proxy_reader.ts";
import { writeV1 } from "./proxy_v1.ts";
import { writeV2 } from "./proxy_v2.ts";

/** Sends a backend the header about the session's client. @throws what writing throws. */
export async function sendProxyHeader(session: Session, version: 1 | 2): Promise<void> {
  const { client, told, alpn } = session;
  const source = endpoint(told?.source ?? client.remoteAddr as Deno.NetAddr);
  const destination = endpoint(told?.destination ?? client.localAddr as Deno.NetAddr);
  const header = version === 1
    ? writeV1(source, destination)
    : writeV2({ source, destination, ...alpn === undefined ? {} : { alpn } });
  for (let sent = 0; sent < header.length;) {
    sent += await session.upstream!.write(header.subarray(sent));
  }
}

function endpoint({ hostname, port }: Place): Endpoint {
  return { address: hostname, port };
}

/**
 * Reads the header that a proxy in front sends first. False: it is wrong, or the proxy has gone; the session's time limit
 * closes it while it waits.
 */
export async function readProxyHeader(session: Session): Promise<boolean> {
  const { buffers } = session.context;
  const reader = new ProxyReader();
  const buffer = buffers.take();
  try {
    for (;;) {
      const length = await session.client.read(buffer);
      if (length === null) break;
      const read = reader.push(buffer.subarray(0, length));
      if (read === "more") continue;
      if ("wrong" in read) break;
      const { source, destination } = read.header;
      if (source !== undefined && destination !== undefined) {
        session.told = { source: place(source), destination: place(destination) };
      }
      if (read.taken === length) buffers.give(buffer);
      else {
        buffer.copyWithin(0, read.taken, length);
        session.first = { buffer, length: length - read.taken };
      }
      return true;
    }
  } catch {
    // the proxy has gone, or the session was closed at its limit
  }
  buffers.give(buffer);
  return false;
}

function place({ address, port }: Endpoint): Place {
  return { hostname: address, port };
}
