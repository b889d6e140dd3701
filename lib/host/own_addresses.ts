/** The addresses of this host, without zones. */
export function ownAddresses(): string[] {
  return Deno.networkInterfaces().map(({ address }) => address.split("%")[0]!);
}
