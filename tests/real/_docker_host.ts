/** What a Docker daemon leaves on its host, and taking it back. */
import { run } from "../support/real.ts";
import { unmount } from "./_daemon.ts";

/** Ends what containers are left when no daemon was to be had that does it: those whose files are in a folder. */
export async function endContainers(folder: string): Promise<void> {
  const all = (await run(["ps", "-eo", "pid,ppid,args"])).split("\n").map((line) => line.trim());
  const keepers = all.filter((line) => line.includes(`-address ${folder}/exec/`))
    .map((line) => line.split(/\s+/)[0]!);
  const theirs = all.map((line) => line.split(/\s+/))
    .filter(([, parent]) => keepers.includes(parent!)).map(([pid]) => pid!);
  for (const pid of [...theirs, ...keepers]) await run(["sh", "-c", `kill -9 ${pid} 2>&1 || true`]);
}

const TABLES = ["filter", "nat"] as const;
/** Rules of Docker; networks beside the default ones take theirs along when they are removed. */
const OURS = /DOCKER|docker/;
/** Bridges that a daemon makes and never removes. */
const BRIDGES = /^docker(0|_gwbridge)$/;

/** Rules, bridges and forwarding of the host. */
export class Network {
  private constructor(
    readonly rules: ReadonlySet<string>,
    readonly bridges: ReadonlySet<string>,
    readonly forward: string,
  ) {}

  static async now(): Promise<Network> {
    const links = await run(["ip", "-o", "link"]);
    const names = [...links.matchAll(/^\d+: ([^:@\s]+)/gm)].map(([, name]) => name!);
    const forward = await run(["sysctl", "-n", "net.ipv4.ip_forward"]);
    return new Network(
      new Set(await rules()),
      new Set(names.filter((name) => BRIDGES.test(name))),
      forward.trim(),
    );
  }

  /** A host without Docker. */
  static async bare(): Promise<Network> {
    return new Network(new Set(), new Set(), (await Network.now()).forward);
  }

  /** Takes away what Docker has added since; whoever else has added something keeps it. */
  async restore(): Promise<void> {
    const now = await Network.now();
    const added = [...now.rules].filter((rule) => !this.rules.has(rule) && OURS.test(rule));
    const commands = added.filter((rule) => / -A /.test(rule))
      .map((rule) => rule.replace(" -A ", " -D "));
    const chains = added.map((rule) => /^(.*) :(DOCKER\S*) /.exec(rule)).filter((one) =>
      one !== null
    );
    for (const [, table, chain] of chains) commands.push(`${table} -F ${chain}`);
    for (const [, table, chain] of chains) commands.push(`${table} -X ${chain}`);
    for (const rule of now.rules) {
      const [, table, chain] = /^(.*) :(FORWARD) DROP/.exec(rule) ?? [];
      if (table !== undefined && !this.rules.has(rule)) {
        commands.push(`${table} -P ${chain} ACCEPT`);
      }
    }
    for (const bridge of now.bridges) {
      if (!this.bridges.has(bridge)) commands.push(`ip link delete ${bridge}`);
    }
    commands.push(`sysctl -qw net.ipv4.ip_forward=${this.forward}`);
    await run(["sh", "-c", commands.map((command) => `${command} || true`).join("\n")]);
  }
}

/** Each rule, chain and policy as `iptables -t TABLE` and a line of iptables-save, without counters. */
async function rules(): Promise<string[]> {
  const found: string[] = [];
  for (const program of ["iptables", "ip6tables"]) {
    for (const table of TABLES) {
      const saved = await run([`${program}-save`, "-t", table]);
      for (const line of saved.split("\n").filter((line) => /^[-:]/.test(line))) {
        found.push(`${program} -t ${table} ${line.replace(/ \[\d+:\d+\]$/, "")}`);
      }
    }
  }
  return found;
}

/**
 * Takes away what tests left that were killed: their containers' addresses would answer in place of those of this one.
 * Call it when no other test has a daemon.
 */
export async function sweep(): Promise<void> {
  const folders =
    (await run(["sh", "-c", `ls -d "\${TMPDIR:-/tmp}"/twixt-real-*/exec 2>/dev/null || true`]))
      .split("\n")
      .filter((path) => path !== "").map((path) => path.slice(0, -"/exec".length));
  if (folders.length === 0) return;
  for (const folder of folders) {
    await endContainers(folder);
    await endOrphans();
    await unmount(folder);
    await Deno.remove(folder, { recursive: true });
  }
  const daemons = await run(["sh", "-c", "ps -C dockerd -o stat= | grep -v Z || true"]);
  if (daemons.trim() === "") await (await Network.bare()).restore(); // rules and bridges are nobody's
}

/** Ends the servers of containers whose keepers are dead. */
async function endOrphans(): Promise<void> {
  const all = (await run(["ps", "-eo", "pid,ppid,args"])).split("\n");
  for (const line of all) {
    const [, pid] = /^\s*(\d+)\s+1\s+busybox httpd -f -p 80 -h \/www$/.exec(line) ?? [];
    if (pid !== undefined) await run(["sh", "-c", `kill -9 ${pid} 2>&1 || true`]);
  }
}
