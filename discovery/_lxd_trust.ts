/**
 * How LXD and we come to trust each other over HTTPS: certificates in a folder of the form that LXD's own client has, and
 * the password that makes ours known.
 */
import { X509Certificate } from "node:crypto";
import { fieldsOf } from "../lib/loose.ts";
import { messageOf, printable } from "../lib/errors.ts";
import { createOnce } from "../lib/host/create_once.ts";
import { whatHappened } from "../lib/net/errors.ts";
import { newKey, selfSigned } from "../lib/net/self_signed.ts";
import { dialTls } from "../lib/net/tls_dial.ts";
import { pinned, type TlsOptions } from "../lib/net/tls_options.ts";
import { certificatePem, type PemPair, readPem, readPemFile } from "../lib/source/pem.ts";
import { ask, failure, type Place, type Server } from "./_lxd_api.ts";

/** What makes trust. */
export type Trust = {
  /** The folder of `client.crt`, `client.key`, `servercerts/` and, where there is an authority, `client.ca`. */
  readonly directory: string;
  /** What the server's certificate is filed under. */
  readonly remote: string;
  /** Makes our certificate known; empty when it is by other means. */
  readonly password: string;
  /** Makes our certificate where there is none. */
  readonly generate: boolean;
  /** Files the certificate that the server shows first, where nobody has verified it. */
  readonly accept: boolean;
};

/** The server as it is spoken to by HTTPS. @throws DiscoveryError where there is no certificate, ours or the server's. */
export async function secured(place: Place, trust: Trust, signal: AbortSignal): Promise<Server> {
  const own = ownPair(place, trust);
  const path = `${trust.directory}/servercerts/${trust.remote}.crt`;
  const caPath = `${trust.directory}/client.ca`;
  const ca = isThere(caPath) ? readPemFile(caPath, "CERTIFICATE") : undefined;
  if (!isThere(path)) {
    const usual = { rejectUnauthorized: true, ...ca === undefined ? {} : { ca } };
    const shown = trust.accept ? await unverified(place, usual, signal) : undefined;
    if (shown === undefined) return { place, tls: { ...usual, ...own } };
    wantProvable(place, shown, "the certificate that it shows", trust);
    createOnce(path, shown);
  }
  const filed = readPemFile(path, "CERTIFICATE");
  wantProvable(place, filed, `the certificate in ${path}`, trust);
  return { place, tls: { ...pinned(filed, ca), ...own }, pinnedIn: path };
}

/** Of a certificate that an authority has signed the runtime wants to know that as well. @throws DiscoveryError */
function wantProvable(place: Place, cert: string, what: string, { directory }: Trust): void {
  let read: X509Certificate;
  try {
    read = new X509Certificate(cert);
  } catch (error) {
    throw failure(place, `${what} can't be read: ${messageOf(error)}`, error);
  }
  const caPath = `${directory}/client.ca`;
  if (read.issuer === read.subject || isThere(caPath)) return;
  const issuer = printable(read.issuer.replaceAll("\n", ", ").slice(0, 200));
  throw failure(place, `${what} is by an authority (${issuer}); put that into ${caPath}`);
}

/** Our certificate and its key, made if need be. */
function ownPair(place: Place, { directory, generate }: Trust): PemPair {
  const certPath = `${directory}/client.crt`;
  const keyPath = `${directory}/client.key`;
  if (!isThere(certPath)) {
    if (!generate) {
      const remedy = "lxd_generate_client_certs = true makes one, or copy those of LXD's client";
      throw failure(place, `there is no ${certPath} to show; ${remedy}`);
    }
    const key = createOnce(keyPath, newKey());
    try {
      createOnce(certPath, certificateOf(key));
    } catch (error) {
      throw failure(place, `${certPath} can't be made by ${keyPath}: ${messageOf(error)}`, error);
    }
  }
  if (!isThere(keyPath)) throw failure(place, `${certPath} is there without ${keyPath}`);
  return readPem({ certPath, keyPath });
}

const YEAR_MS = 365 * 86_400_000;
const HOUR_MS = 3_600_000;

function certificateOf(key: string): string {
  const now = Date.now();
  return selfSigned(key, {
    name: "twixt",
    notBefore: new Date(now - HOUR_MS), // clocks differ
    notAfter: new Date(now + 10 * YEAR_MS),
    serial: crypto.getRandomValues(new Uint8Array(16)),
  });
}

/** The certificate that the server shows, in PEM form; undefined where it is verified as usual. */
async function unverified(
  place: Place,
  usual: TlsOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { url } = place;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const tls = { ...usual, rejectUnauthorized: false }; // it is only looked at
  try {
    const port = Number(url.port || 443);
    const socket = await dialTls({ address: host, port, host, tls, signal });
    const { authorized } = socket;
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    if (authorized) return undefined;
    return certificatePem(new Uint8Array(raw));
  } catch (error) {
    throw failure(place, whatHappened(error), error);
  }
}

/** Makes our certificate known to a server that has refused us. @throws DiscoveryError where it stays unknown. */
export async function introduce(server: Server, trust: Trust, signal: AbortSignal): Promise<void> {
  const { place } = server;
  const { password, directory } = trust;
  const { metadata } = await ask(server, { path: "/1.0" }, signal);
  if (fieldsOf(metadata).auth === "trusted") {
    const look = "on the server, lxc config trust list shows what it is restricted to";
    throw failure(place, `it knows our certificate, which may not see the containers; ${look}`);
  }
  const byHand = `run on the server: lxc config trust add client.crt (from ${directory})`;
  if (password === "") {
    const remedy = `give lxd_server_remote_password, or ${byHand}`;
    throw failure(place, `it doesn't trust our certificate; ${remedy}`);
  }
  const question = { path: "/1.0/certificates", body: { type: "client", name: "twixt", password } };
  const { status, error } = await ask(server, question, signal);
  if (status < 300 || /already/i.test(error)) return; // another pool was faster
  const remedy = `check lxd_server_remote_password, or ${byHand}`;
  // what it says isn't told: it may repeat the password
  throw failure(place, `it didn't take our certificate and password (status ${status}); ${remedy}`);
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
