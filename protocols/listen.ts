import type { ServerTable } from "../lib/model.ts";
import type { Certificate, TlsTable } from "../lib/tls_model.ts";
import { choiceOf } from "../lib/net/certificate_choice.ts";

/** Connections that the kernel keeps for us until we accept them; its own limit is net.core.somaxconn. */
const BACKLOG = 4096;

/**
 * Names that clients may ask one listener for. The runtime remembers the certificate of each, even of those that are made
 * up, for as long as the listener lives.
 */
const NAMES_MAX = 4096;

/** What the runtime looks for to have a certificate chosen. */
const RESOLVER = Symbol.for("unstableSniResolver");

/** A listener of a server. What it accepts speaks TLS where its table says so. */
export type Listener = Deno.Listener<Deno.TcpConn | Deno.TlsConn>;

/**
 * Listens at a server's address, beside whoever of this user does already.
 * @param plain Doesn't speak TLS itself, where the table says so: somebody behind it does.
 * @param onWorn Called once when clients have asked for so many names that another listener should take over.
 * @throws What the runtime throws.
 */
export function listen(
  { hostname, port, tls }: ServerTable,
  plain: boolean,
  onWorn: () => void,
): Listener {
  const options = { hostname, port, reusePort: true, tcpBacklog: BACKLOG };
  return tls === undefined || plain ? Deno.listen(options) : listenTls(options, tls, onWorn);
}

/** Listens for TLS on a free port of loopback. @throws What the runtime throws. */
export function listenInside(tls: TlsTable, onWorn: () => void): Deno.TlsListener {
  return listenTls({ hostname: "127.0.0.1", port: 0, tcpBacklog: BACKLOG }, tls, onWorn);
}

function listenTls(
  options: Deno.TcpListenOptions,
  tls: TlsTable,
  onWorn: () => void,
): Deno.TlsListener {
  const { alpn, certificates: [first, ...more] } = tls;
  return Deno.listenTls(
    {
      ...options,
      ...alpn.length > 0 ? { alpnProtocols: [...alpn] } : {},
      ...more.length > 0
        ? { [RESOLVER]: resolver([first!, ...more], onWorn) }
        : { cert: first!.cert, key: first!.key },
    } as Deno.ListenTlsOptions & Deno.TlsCertifiedKeyPem,
  );
}

/** Asked once for each name. */
function resolver(
  certificates: readonly [Certificate, ...Certificate[]],
  onWorn: () => void,
): (name: string) => Pick<Certificate, "cert" | "key"> {
  const choose = choiceOf(certificates);
  let names = 0;
  return (name) => {
    if (++names % NAMES_MAX === 0) onWorn();
    const { cert, key } = choose(name);
    return { cert, key };
  };
}

/** Do both listen alike, so that one table can take the other's place without another listener? */
export function listensAlike(one: ServerTable, other: ServerTable): boolean {
  if (one.hostname !== other.hostname || one.port !== other.port) return false;
  if (one.protocol !== other.protocol) return false;
  const shown = ({ tls }: ServerTable) =>
    tls && JSON.stringify([tls.alpn, tls.certificates, tls.clients, tls.minVersion]);
  return shown(one) === shown(other);
}
