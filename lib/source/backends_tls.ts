import { StartError } from "../errors.ts";
import type { BackendsTls, BackendsTlsSpec } from "../tls_model.ts";
import { certificatesIn, readCertificates, textOf } from "./certificates.ts";

/**
 * Reads the files that a server speaks TLS to its backends with. `warnings`: what is odd about them, one line each.
 * @param nowMs Milliseconds since 1970.
 * @throws StartError that names the key of the configuration and the file.
 */
export async function readBackendsTls(
  { at, insecure, caPath, pair, serverName, minVersion, maxVersion }: BackendsTlsSpec,
  nowMs: number,
): Promise<{ readonly tls: BackendsTls; readonly warnings: readonly string[] }> {
  refuseOldRuntime(at);
  const own = pair && await readCertificates([pair], nowMs);
  const { cert, key } = own?.certificates[0] ?? {};
  const tls = {
    rejectUnauthorized: !insecure,
    ...caPath ? { ca: await authorities(caPath, `${at}.root_ca_cert_path`) } : {},
    ...cert && key ? { cert, key } : {},
    ...serverName ? { serverName } : {},
    ...minVersion ? { minVersion } : {},
    ...maxVersion ? { maxVersion } : {},
  };
  return { tls, warnings: own?.warnings ?? [] };
}

/** The authorities in a file. @throws StartError where there are none, or one can't be read */
export async function authorities(path: string, at: string): Promise<string> {
  const text = await textOf(path, at);
  certificatesIn(text, path, at);
  return text;
}

/**
 * For what relies on `node:tls`. Older runtimes take everybody's certificate, and lose the end of a connection.
 * @throws StartError where this is one of them
 */
export function refuseOldRuntime(at: string): void {
  const version = Deno.version.deno;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 2 || (major === 2 && minor >= 9)) return;
  const message = `${at}: this runtime, Deno ${version}, doesn't verify certificates`;
  throw new StartError(message, "run Twixt with Deno 2.9 or newer, or build it with that", true);
}
