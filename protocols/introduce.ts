/** The PROXY protocol on the wire: a header to a backend, and one from a proxy in front. */
import type { ProxyExtra } from "../lib/model.ts";
import type { Place, Secured, Session } from "./session.ts";
import {
  CLIENT_CERT_CONN,
  CLIENT_CERT_SESS,
  CLIENT_SSL,
  type Endpoint,
  type ProxySsl,
} from "./proxy_header.ts";
import { ProxyReader } from "./proxy_reader.ts";
import { writeV1 } from "./proxy_v1.ts";
import { type V2Options, writeV2 } from "./proxy_v2.ts";

/** Version of the header that the session's backend gets; 0: none. */
export function headerVersion({ member, server }: Session): 0 | 1 | 2 {
  return member?.proxy ?? server.proxy?.send ?? 0;
}

/** Sends a backend the header about the session's client. @throws what writing throws. */
export async function sendProxyHeader(session: Session, version: 1 | 2): Promise<void> {
  const { client, told } = session;
  const source = endpoint(told?.source ?? client.remoteAddr as Deno.NetAddr);
  const destination = endpoint(told?.destination ?? client.localAddr as Deno.NetAddr);
  const header = version === 1
    ? writeV1(source, destination)
    : writeV2({ source, destination, ...extrasOf(session) });
  for (let sent = 0; sent < header.length;) {
    sent += await session.upstream!.write(header.subarray(sent));
  }
}

/** What its server wants to be told beside addresses, as far as it is known. */
function extrasOf(session: Session): Omit<V2Options, "source" | "destination"> {
  const { alpn, asked, secured, server } = session;
  const wanted = (extra: ProxyExtra) => server.proxy?.extras?.includes(extra) === true;
  return {
    ...alpn === undefined ? {} : { alpn },
    ...wanted("authority") && asked?.serverName ? { authority: asked.serverName } : {},
    ...wanted("unique_id") ? { uniqueId: new TextEncoder().encode(session.uniqueId) } : {},
    ...wanted("ssl") && secured !== undefined ? { ssl: sslOf(secured) } : {},
    ...wanted("crc32c") ? { crc32c: true } : {},
  };
}

function sslOf({ version, cipher, identity }: Secured): ProxySsl {
  const name = identity?.find((fact) => fact.startsWith(COMMON_NAME));
  return {
    client: CLIENT_SSL | (identity === undefined ? 0 : CLIENT_CERT_CONN | CLIENT_CERT_SESS),
    ...{ verify: 0, version, cipher }, // who couldn't be verified isn't served
    ...name === undefined ? {} : { commonName: name.slice(COMMON_NAME.length) },
  };
}

const COMMON_NAME = "CN=";

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
