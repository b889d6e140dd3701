/** Does the kernel pass packets on that aren't for this host? */
import type { RunProgram } from "./program.ts";
import { runAdmin } from "./admin_program.ts";

/** What says so, by version of IP. */
const SWITCHES = { ip: "net.ipv4.ip_forward", ip6: "net.ipv6.conf.all.forwarding" } as const;

/** The switches of these versions of IP that are off. One that nobody can look at counts as on. It never throws. */
export async function forwardingOff(
  run: RunProgram,
  families: readonly (keyof typeof SWITCHES)[],
): Promise<string[]> {
  const off = async (name: string): Promise<boolean> => {
    const ran = await runAdmin(run, ["sysctl", "-n", name]).catch(() => undefined);
    return ran?.stdout.trim() === "0";
  };
  const names = families.map((family) => SWITCHES[family]);
  const answers = await Promise.all(names.map(off));
  return names.filter((_, index) => answers[index]);
}
