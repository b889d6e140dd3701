/**
 * What the host allows this process. /proc and /sys can't be read under explicit permissions, so a small
 * child program looks, once at start, before the permission to run programs is given back.
 */

/** Facts about the host; undefined where nobody could tell. */
export type HostFacts = {
  /** Soft and hard limit of open descriptors. */
  readonly softDescriptors?: number | undefined;
  readonly hardDescriptors?: number | undefined;
  /** Bytes that the kernel keeps for a socket that isn't read (net.core.rmem_default). */
  readonly receiveBuffer?: number | undefined;
  /** Cores' worth of time that the control group may use, rounded up. */
  readonly quotaCores?: number | undefined;
};

const SCRIPT = `
ulimit -Sn; ulimit -Hn
sysctl -n net.core.rmem_default 2>/dev/null || echo unknown
group=$(sed -n 's/^0:://p' /proc/self/cgroup 2>/dev/null)
cat "/sys/fs/cgroup$group/cpu.max" 2>/dev/null || cat /sys/fs/cgroup/cpu.max 2>/dev/null
`;

/** What a system without limits says. */
const NO_LIMIT = 1 << 20;

/** Asks for the facts. It never throws. */
export async function hostFacts(): Promise<HostFacts> {
  return parseFacts(await output("sh", ["-c", SCRIPT]));
}

/** Reads what the script prints. Pure. */
export function parseFacts(text: string): HostFacts {
  const [soft = "", hard = "", receive = "", quota = ""] = text.split("\n");
  const [time, period] = quota.split(" ").map(Number);
  return {
    softDescriptors: limit(soft),
    hardDescriptors: limit(hard),
    receiveBuffer: limit(receive),
    quotaCores: time! > 0 && period! > 0 ? Math.ceil(time! / period!) : undefined,
  };
}

function limit(text: string): number | undefined {
  if (text.trim() === "unlimited") return NO_LIMIT;
  return /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

/**
 * Raises this process's soft limit of descriptors to its hard one (a compiled program starts with 1,024).
 * Returns the limit that holds now.
 */
export async function raiseDescriptorLimit(facts: HostFacts): Promise<number | undefined> {
  const { softDescriptors: soft, hardDescriptors: hard } = facts;
  if (soft === undefined || hard === undefined || soft >= hard) return soft;
  await output("prlimit", ["--pid", String(Deno.pid), `--nofile=${hard}:${hard}`]);
  const now = await output("prlimit", [
    ...["--pid", String(Deno.pid), "--nofile"],
    ...["--noheadings", "--raw", "--output=SOFT"],
  ]);
  return limit(now) ?? soft;
}

/** Descriptors that this process has open; undefined where nobody can tell. */
export async function openDescriptors(): Promise<number | undefined> {
  return limit(await output("sh", ["-c", "ls /proc/$PPID/fd | wc -l"]));
}

/** What a program prints; empty when it can't be run. */
async function output(program: string, args: string[]): Promise<string> {
  try {
    const command = new Deno.Command(program, { args, stdin: "null", stderr: "null" });
    return new TextDecoder().decode((await command.output()).stdout);
  } catch {
    return ""; // not there, or not allowed: the fact stays unknown
  }
}
