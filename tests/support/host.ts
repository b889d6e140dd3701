/** What the machine that runs the tests offers. */

/** Does this shell command succeed here? */
export function works(command: string): boolean {
  const { success } = new Deno.Command("sh", {
    args: ["-c", command],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success;
}

/** Files under /proc tell about processes. */
export const hasProc: boolean = Deno.build.os === "linux";

/** IPv6 over loopback works. */
export const hasIPv6: boolean = listens("::1");

/** This process may do everything. */
export const isRoot: boolean = works('[ "$(id -u)" = 0 ]');

/** A process can have mounts of its own. */
export const hasMounts: boolean = isRoot && works("unshare -m mount -t tmpfs tmpfs /mnt");

/** Processes can have a network of their own, which says whether the kernel hands waiting connections on. */
export const hasNetworks: boolean = isRoot &&
  works("unshare -n sh -c 'ip link set lo up && sysctl -n net.ipv4.tcp_migrate_req' && nsenter -V");

/** The kernel tells who is reset, and why. */
export const hasTracing: boolean = hasMounts &&
  works("unshare -m sh -c 'mount -t tracefs tracefs /mnt && ls /mnt/events/tcp/tcp_send_reset'");

/** A process can have so many descriptors. */
export function hasDescriptors(count: number): boolean {
  return works(`h=$(ulimit -Hn); [ "$h" = unlimited ] || [ "$h" -ge ${count} ]`);
}

function listens(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/**
 * Not with a compiled program: it may have been made on a Deno before 2.9, which takes any certificate, can't show one
 * of its own over HTTP, keeps the descriptor of a TLS connection that was given up during its handshake, and doesn't
 * tell the reader of an HTTP answer that it has broken off.
 */
export const byDenoRun: boolean = !Deno.env.get("TWIXT_BIN");

/** A test that isn't there with a compiled program, see {@link byDenoRun}. */
export function testByDenoRun(
  name: string,
  options: Omit<Deno.TestDefinition, "fn" | "name">,
  fn: () => Promise<void>,
): void {
  if (byDenoRun) Deno.test(name, options, fn);
}
