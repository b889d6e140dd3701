import { until } from "./backends.ts";
import { shell } from "./twixt.ts";

/** Resolves when a socket's peer has acknowledged everything: closing it can't destroy anything then. */
export async function allSent(conn: Deno.TcpConn): Promise<void> {
  const { localAddr, remoteAddr } = conn;
  const ends = `$2 ~ /:${hexPort(localAddr.port)}$/ && $3 ~ /:${hexPort(remoteAddr.port)}$/`;
  const unsent = () => shell(`awk '${ends} { print substr($5, 1, 8) }' /proc/net/tcp`);
  await until(async () => await unsent() === "00000000", 30_000, "all is sent");
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
