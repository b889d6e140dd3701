/** TLS towards backends. Loaded where a server speaks it: it takes as long to load as all the rest. */
import { connect, createSecureContext, type SecureContext } from "node:tls";
import { isIp } from "../lib/address.ts";
import { serverIdentity } from "../lib/net/server_identity.ts";
import type { Member } from "../lib/model.ts";
import type { BackendsTls } from "../lib/tls_model.ts";
import type { Buffers } from "./buffers.ts";
import { SecureLink } from "./secure_link.ts";

/** The authorities are parsed once, not for each connection. */
const contexts = new WeakMap<BackendsTls, SecureContext>();

/**
 * Completes the handshake with a backend.
 * @throws Error with the certificate's fault, or what happened to the connection; a timeout where it took too long
 */
export async function verified(link: SecureLink, deadline: AbortSignal): Promise<void> {
  const socket = await link.handshake("secureConnect", deadline);
  // no runtime that we know does this; one that did would verify nobody
  if (socket.isSessionReused()) throw new Error("a session was resumed, which isn't verified");
}

/** Begins to speak TLS over a connection to a backend, which it takes over. The handshake is still to come. */
export function speakTls(
  conn: Deno.TcpConn,
  member: Member,
  tls: BackendsTls,
  buffers: Buffers,
): SecureLink {
  const { rejectUnauthorized, serverName } = tls;
  const { address, host } = member;
  const name = serverName ?? member.name ?? (isIp(host) ? address : host);
  return new SecureLink(conn, buffers, (socket) =>
    connect({
      ...{ socket, rejectUnauthorized, secureContext: contextOf(tls) },
      checkServerIdentity: (_, shown) => serverIdentity(name, shown),
      ...isIp(name) ? { host: name, servername: "" } : { host: address, servername: name },
    }));
}

function contextOf(tls: BackendsTls): SecureContext {
  let context = contexts.get(tls);
  if (context === undefined) {
    const { ca, cert, key, minVersion, maxVersion } = tls;
    context = createSecureContext({
      ...ca === undefined ? {} : { ca },
      ...cert === undefined ? {} : { cert, key },
      ...minVersion === undefined ? {} : { minVersion },
      ...maxVersion === undefined ? {} : { maxVersion },
    });
    contexts.set(tls, context);
  }
  return context;
}
