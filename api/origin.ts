import { isIp } from "../lib/address.ts";

/** Does an `Origin` header name the host that the request went to? A proxy may have changed the scheme. */
export function isOwnOrigin(origin: string, host: string | undefined): boolean {
  const url = URL.parse(origin);
  if (url === null || host === undefined) return false;
  const own = URL.parse(`${url.protocol}//${host}`);
  return own !== null && url.host !== "" && url.host === own.host;
}

/** Is the host of this origin an address or `localhost`, which no foreign name server can point at us? */
export function isFixedHost(origin: string): boolean {
  const name = URL.parse(origin)?.hostname ?? "";
  return name === "localhost" || name.endsWith(".localhost") || isIp(name.replace(/^\[|\]$/g, ""));
}
