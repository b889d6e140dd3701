import { newKey, selfSigned } from "../net/self_signed.ts";
import type { PemPair } from "../source/pem.ts";

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

/**
 * A certificate for a host until an authority has issued one, so that its server can listen: signed by itself, which no
 * client takes.
 */
export function standIn(host: string, nowMs: number): PemPair {
  const key = newKey();
  const cert = selfSigned(key, {
    ...{ name: "not issued yet", host },
    notBefore: new Date(nowMs - 60_000),
    notAfter: new Date(nowMs + YEAR_MS),
    serial: crypto.getRandomValues(new Uint8Array(16)),
  });
  return { cert, key };
}
