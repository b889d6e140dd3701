/** TLS with clients by `node:tls`, where the runtime's own can't do it. Loaded where a server needs it. */
import { createHash } from "node:crypto";
import { createSecureContext, type PeerCertificate, type SecureContext, TLSSocket } from "node:tls";
import { compileRules } from "../lib/client_rules.ts";
import { certificateFacts } from "../lib/net/certificate_facts.ts";
import { choiceOf } from "../lib/net/certificate_choice.ts";
import { whatHappened } from "../lib/net/errors.ts";
import type { Lru } from "../lib/lru.ts";
import type { Asked } from "../lib/routes.ts";
import { BAD_CLIENT_CERTIFICATE } from "../lib/stats/layout.ts";
import type { Clients, TlsTable } from "../lib/tls_model.ts";
import { handshakeFailed } from "./handshake.ts";
import { SecureLink } from "./secure_link.ts";
import type { Secured, Session } from "./session.ts";

/** What is internal of `node:tls` and tells, in Node as here, whether a client's certificate is good. */
type Handle = { readonly _handle?: { readonly verifyError?: () => unknown } };

/** Things that a certificate says of which a log line tells. */
const SHOWN = 5;

/** Speaks TLS with the clients of one table. */
export class ClientTls {
  readonly #contextOf: (name: string) => SecureContext;
  readonly #allowed: (facts: readonly string[]) => boolean;
  /** Names the authorities. */
  readonly #trust: string;

  /** Reads the certificates. @throws Error where one can't be used */
  constructor(readonly tls: TlsTable) {
    const { certificates, clients, minVersion } = tls;
    const [first, ...more] = certificates.map(({ names, cert, key }) => ({
      names,
      context: createSecureContext({
        ...{ cert, key },
        ...clients === undefined ? {} : { ca: clients.ca },
        ...minVersion === undefined ? {} : { minVersion },
      }),
    }));
    const choose = choiceOf([first!, ...more]);
    this.#contextOf = (name) => choose(name).context;
    this.#allowed = compileRules(clients?.allow ?? []);
    this.#trust = createHash("sha256").update(clients?.ca ?? "").digest("base64");
  }

  /**
   * Completes the handshake of a client whose hello was read; `session.client` speaks plainly then. Undefined: it may go
   * on; else why it is refused, which is one of the counters' cells. While it is silent the session's limit closes it.
   */
  async secure(session: Session, { serverName }: Asked): Promise<number | undefined> {
    const { tls: { clients, alpn } } = this;
    const { first, context: { buffers } } = session;
    session.first = undefined;
    const link = new SecureLink(
      session.client as Deno.TcpConn,
      buffers,
      (raw) =>
        new TLSSocket(raw, {
          isServer: true,
          secureContext: this.#contextOf(serverName),
          requestCert: clients !== undefined,
          rejectUnauthorized: clients?.required === true,
          ...alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {},
        }),
      first,
    );
    session.client = link;
    // a session that was refused must not be resumed: its tickets would be written in this moment
    if (clients !== undefined) link.hold();
    let socket: TLSSocket;
    try {
      socket = await link.handshake("secure");
    } catch (error) {
      const why = whatHappened(error);
      return /DID_NOT_RETURN_A_CERT/.test(String((error as { code?: unknown }).code))
        ? refused(session, "it shows no certificate")
        : handshakeFailed(session, why);
    }
    const shown = clients && this.#identityOf(socket, clients, session.context.verified);
    if (typeof shown === "string") return refused(session, shown);
    if (shown !== undefined && !this.#allowed(shown)) {
      return refused(session, `nobody of client_allow: ${shown.slice(0, SHOWN).join(", ")}`);
    }
    link.release();
    session.alpn = socket.alpnProtocol || undefined;
    session.secured = securedOf(socket, shown);
    return undefined;
  }

  /** What a client's certificate says, undefined where it has shown none and needn't; a string says why it is refused. */
  #identityOf(
    socket: TLSSocket,
    { required }: Clients,
    verified: Lru<string, true>,
  ): string[] | string | undefined {
    const shown = socket.getPeerCertificate() ?? {};
    if (shown.raw === undefined) return required ? "it shows no certificate" : undefined;
    const fault = (socket as unknown as Handle)._handle?.verifyError?.();
    // who can't be verified is nobody, also where the runtime says something that we don't know
    if (fault !== "" && fault !== null) {
      return `its certificate isn't good: ${reasonOf(shown, fault)}`;
    }
    try {
      const known = `${shown.fingerprint256} ${this.#trust}`;
      if (socket.isSessionReused()) {
        // nobody verifies it then, and all servers share the sessions, whomever they trust
        if (verified.get(known) !== true) {
          return "its session was resumed; it has to be verified anew";
        }
        if (Date.parse(shown.valid_to) < Date.now()) return "its certificate has expired";
      } else verified.set(known, true);
      return certificateFacts(shown.raw);
    } catch (error) {
      return `its certificate isn't good: ${textOf(error)}`;
    }
  }
}

/** Dates are what goes wrong most, and what the runtime doesn't tell apart. */
function reasonOf({ valid_from, valid_to }: PeerCertificate, fault: unknown): string {
  if (Date.parse(valid_to) < Date.now()) return `it has expired on ${valid_to}`;
  if (Date.parse(valid_from) > Date.now()) return `it is not valid before ${valid_from}`;
  return textOf(fault);
}

function textOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}

function securedOf(socket: TLSSocket, identity: readonly string[] | undefined): Secured {
  const { name } = socket.getCipher();
  return {
    version: socket.getProtocol() ?? "",
    cipher: name,
    ...identity === undefined ? {} : { identity },
  };
}

function refused(session: Session, why: string): number {
  handshakeFailed(session, why);
  return BAD_CLIENT_CERTIFICATE;
}
