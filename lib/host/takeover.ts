/** The process that another one takes over: who it is, and how it is told. */
import { StartError } from "../errors.ts";
import { portKey } from "../address.ts";
import type { ServerSpec } from "../model.ts";
import { readPid } from "./pid_file.ts";

/** Exit codes of the script below. */
const GONE = 1;
const DEAF = 3;
const FOREIGN = 4;

/**
 * Does the process run, is it ours, is it twixt, and does it listen to SIGUSR2, which would end any other program? One
 * that has started after the file was written has got a dead one's number. `$1` is the file.
 */
const ASKS = `
said=$(kill -0 "$0" 2>&1) || case "$said" in *[Pp]ermitted*) exit ${FOREIGN};; *) exit ${GONE};; esac
grep -q "^State:[[:space:]]*Z" "/proc/$0/status" 2>/dev/null && exit ${GONE}
boot=$(sed -n 's/^btime //p' /proc/stat 2>/dev/null)
written=$(stat -L -c %Y "$1" 2>/dev/null)
ticks=$(sed 's/.*) //' "/proc/$0/stat" 2>/dev/null | cut -d ' ' -f 20)
if [ -n "$boot" ] && [ -n "$written" ] && [ -n "$ticks" ]; then
  [ $((boot + ticks / $(getconf CLK_TCK || echo 100))) -gt $((written + 2)) ] && exit ${GONE}
fi
its=$(readlink "/proc/$0/exe")
own=$(readlink "/proc/$PPID/exe")
its=\${its% (deleted)}
case "\${its##*/}" in "" | "\${own##*/}" | deno | twixt*) ;; *) exit ${DEAF};; esac
mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$0/status" 2>/dev/null)
[ -n "$mask" ] || exit 0
mask=\${mask%??}
case "\${mask#"\${mask%?}"}" in [89abcdef]) exit 0;; esac
exit ${DEAF}
`;

/**
 * The running process that a pid file names; undefined when nobody runs.
 * @throws StartError when it can't be taken over.
 */
export function findPredecessor(pidFile: string): number | undefined {
  const pid = readPid(pidFile);
  if (pid === "something else") {
    throw new StartError(
      `pid file ${pidFile} holds something else than a process id`,
      "name the pid file that the running twixt was started with",
      true,
    );
  }
  if (pid === undefined || pid === Deno.pid) return undefined;
  const args = ["-c", ASKS, String(pid), pidFile];
  const { code } = new Deno.Command("sh", { args, stdin: "null", stderr: "null" }).outputSync();
  if (code === 0) return pid;
  if (code === GONE) return undefined;
  throw new StartError(
    `process ${pid} of ${pidFile} ${
      code === FOREIGN ? "isn't yours to take over" : "isn't a twixt that can be taken over"
    }`,
    code === FOREIGN
      ? "start as the same user"
      : "if the number is another program's by now, remove the pid file and start without --takeover",
  );
}

/** Tells it that somebody else has come. False: it isn't there any more. */
export function tellPredecessor(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGUSR2");
    return true;
  } catch {
    return false; // it has ended meanwhile
  }
}

/** Does the process still run? */
export function isThere(pid: number): boolean {
  try {
    Deno.kill(pid, 0 as unknown as Deno.Signal);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** The ports that a process listens on, by {@link portKey}; undefined where nobody can tell. */
export async function portsOf(pid: number): Promise<ReadonlySet<string> | undefined> {
  try {
    const said = await Promise.all(["-Hltnp", "-Hlunp"].map(async (options) => {
      const command = new Deno.Command("ss", { args: [options], stdin: "null", stderr: "null" });
      return new TextDecoder().decode((await command.output()).stdout);
    }));
    const ports = new Set([...portsIn(said[0]!, pid, "tcp"), ...portsIn(said[1]!, pid, "udp")]);
    return ports.size === 0 ? undefined : ports;
  } catch {
    return undefined; // no ss here
  }
}

/** The local ports of a process in what `ss -Hltnp` prints, or `ss -Hlunp`. Pure. */
export function portsIn(
  said: string,
  pid: number,
  protocol: ServerSpec["protocol"],
): ReadonlySet<string> {
  const its = new RegExp(`\\bpid=${pid}\\b`);
  const lines = said.split("\n").filter((line) => its.test(line));
  return new Set(
    lines.map((line) => /:(\d+)$/.exec(line.trim().split(/\s+/)[3] ?? "")?.[1])
      .map((port) => portKey(protocol, Number(port))),
  );
}

/** Does the kernel hand connections that wait for a closed listener to another one on the port? Undefined: unknown. */
export async function migratesConnections(): Promise<boolean | undefined> {
  try {
    const args = ["-n", "net.ipv4.tcp_migrate_req"];
    const command = new Deno.Command("sysctl", { args, stdin: "null", stderr: "null" });
    const said = new TextDecoder().decode((await command.output()).stdout).trim();
    return said === "" ? undefined : said !== "0";
  } catch {
    return undefined; // no sysctl here
  }
}
