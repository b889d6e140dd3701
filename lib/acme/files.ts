/** Where certificates by ACME are kept. Pure. */

import { fnv1a } from "../fnv.ts";

/**
 * The folder for what one authority has issued, in one of our own: `/tmp`, which gobetween takes, is everybody's.
 * @param directory The URL of the authority.
 */
export function acmeFolder(cacheDir: string, directory: string): string {
  const authority = new URL(directory).host.replace(/[^a-z0-9.-]/g, "_");
  const hash = fnv1a(new TextEncoder().encode(directory)).toString(16).padStart(8, "0");
  return `${cacheDir.replace(/\/+$/, "")}/twixt-acme/${authority}-${hash}`;
}

/** The file of a host's certificate and key. */
export function acmeFile(folder: string, host: string): string {
  return `${folder}/${host}.pem`;
}

/** Why no certificate can be had for a host by HTTP-01; undefined: one can. */
export function wrongAcmeHost(host: string): string | undefined {
  if (host.startsWith("*.")) {
    return "is a wildcard, which authorities check by DNS alone\nname each host, or give a file by certificates";
  }
  const labels = host.split(".");
  const isName = host.length <= 240 && labels.every((label) => LABEL.test(label));
  if (!isName || /^\d+$/.test(labels.at(-1)!)) {
    return 'is no host name\nfor example "www.example.com"';
  }
  return undefined;
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
