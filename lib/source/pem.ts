import { StartError } from "../errors.ts";
import { readPlainFileSync } from "./plain_file.ts";

/** A certificate and its key as text. */
export type PemPair = { readonly cert: string; readonly key: string };

/**
 * Reads a certificate (with its chain) and its key.
 * @throws StartError that names the file.
 */
export function readPem(
  paths: { readonly certPath: string; readonly keyPath: string },
): PemPair {
  return {
    cert: readPemFile(paths.certPath, "CERTIFICATE"),
    key: readPemFile(paths.keyPath, "PRIVATE KEY"),
  };
}

/**
 * Reads a file that holds what `label` says, in PEM form.
 * @throws StartError that names the file.
 */
export function readPemFile(path: string, label: "CERTIFICATE" | "PRIVATE KEY"): string {
  const text = readPlainFileSync(path);
  if (text.includes(`${label}-----`)) return text;
  throw new StartError(
    `${path} holds no ${label} in PEM form`,
    "convert it: openssl … -outform PEM",
  );
}

/** A certificate in DER as PEM. */
export function certificatePem(der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
