import { until } from "../support/backends.ts";
import { type Argv, find, run } from "../support/real.ts";
import { Daemon, Folder, freePort, onlyOne, unmount } from "./_daemon.ts";

/** The programs that {@link Lxd} needs. */
export const LXD_PROGRAMS = [
  ...["lxd", "lxc", "dnsmasq", "busybox", "nft", "ip"],
  ...["setpriv", "sysctl", "tar", "umount"],
];

/** The image that {@link Lxd} has: busybox, whose init takes its address from its environment and serves its name. */
const IMAGE = "twixt-test";
const INIT = `#!/bin/sh
ip link set lo up
ip link set eth0 up
[ -z "$ADDRESS" ] || ip addr add "$ADDRESS" dev eth0
hostname >/www/index.html
exec busybox httpd -f -p "\${PORT:-80}" -h /www
`;

const BRIDGE = "twixtlxd0";
const PRESEED = {
  networks: [{
    name: BRIDGE,
    type: "bridge",
    config: {
      "ipv4.address": "10.213.9.1/24",
      "ipv4.nat": "false",
      "ipv4.dhcp": "false",
      "ipv6.address": "fd00:213:9::1/64",
      "ipv6.nat": "false",
    },
  }],
  storage_pools: [{ name: "default", driver: "dir" }],
  profiles: [{
    name: "default",
    devices: {
      root: { path: "/", pool: "default", type: "disk" },
      eth0: { name: "eth0", network: BRIDGE, type: "nic" },
    },
  }],
};

/** What a daemon changes in the host's network, beside its bridge, and leaves so. */
const FORWARDING = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/**
 * An LXD of the test's own, with its files in a folder of its own, one image and a bridge without DHCP. Needs root.
 * Dispose it: its containers, bridge, mounts and files go, and what else there is of the host's network is as it was.
 */
export class Lxd implements AsyncDisposable {
  #daemon: Daemon | undefined;

  private constructor(
    readonly folder: Folder,
    /** Where it listens on loopback, once {@link overHttps} has said so. */
    readonly port: number,
    readonly lock: Deno.FsFile,
    readonly sysctls: string,
    readonly hadTable: boolean,
  ) {}

  /** Starts it. */
  static async start(): Promise<Lxd> {
    const lock = await onlyOne("lxd"); // all have the same bridge
    const folder = await Folder.make();
    await Deno.chmod(folder.path, 0o711); // containers aren't root, and go through it
    const sysctls = await run(["sysctl", ...FORWARDING]);
    const lxd = new Lxd(folder, freePort(), lock, sysctls.replaceAll(" ", ""), await hasTable());
    try {
      await lxd.restart();
      await lxd.#prepare();
    } catch (error) {
      await lxd[Symbol.asyncDispose]();
      throw error;
    }
    return lxd;
  }

  /** Its address over the socket, as a configuration has it. */
  get socket(): string {
    return `unix://${this.directory}/unix.socket`;
  }

  /** Its files. */
  get directory(): string {
    return `${this.folder.path}/lxd`;
  }

  /** Starts it anew, after {@link kill}. */
  async restart(): Promise<void> {
    await Deno.mkdir(this.directory, { recursive: true, mode: 0o711 });
    // told that its parent has gone, it ends its containers, too
    const argv = ["setpriv", "--pdeathsig=PWR", "--", ...this.#inside("lxd", "--group", "root")];
    this.#daemon = await Daemon.start(argv as unknown as Argv, () => this.#answers());
  }

  #inside(program: string, ...args: readonly string[]): Argv {
    const { path } = this.folder;
    return ["env", `LXD_DIR=${this.directory}`, `LXD_CONF=${path}/lxc`, find(program)!, ...args];
  }

  async #answers(): Promise<boolean> {
    try {
      await this.do("query", "/1.0");
      return true;
    } catch {
      return false; // it exits with 1 until there is a daemon
    }
  }

  async #prepare(): Promise<void> {
    await run(this.#inside("lxd", "init", "--preseed"), JSON.stringify(PRESEED));
    const root = `${this.folder.path}/image/rootfs`;
    for (const folder of ["bin", "sbin", "www", "proc", "sys", "dev", "etc", "tmp", "run"]) {
      await Deno.mkdir(`${root}/${folder}`, { recursive: true });
    }
    await Deno.copyFile(find("busybox")!, `${root}/bin/busybox`);
    for (const name of ["sh", "ip", "hostname"]) {
      await Deno.symlink("busybox", `${root}/bin/${name}`);
    }
    await Deno.writeTextFile(`${root}/sbin/init`, INIT, { mode: 0o755 });
    const metadata = "architecture: x86_64\ncreation_date: 1700000000\n";
    await Deno.writeTextFile(`${root}/../metadata.yaml`, metadata);
    const image = `${this.folder.path}/image.tgz`;
    await run(["tar", "-C", `${root}/..`, "-czf", image, "metadata.yaml", "rootfs"]);
    await this.do("image", "import", image, "--alias", IMAGE);
  }

  /** Runs a command of LXD's client and gives what it wrote. */
  async do(...args: readonly string[]): Promise<string> {
    return (await run(this.#inside("lxc", ...args))).trim();
  }

  /** Starts a container that says its name by HTTP, with these keys in its configuration. */
  async serve(
    name: string,
    keys: Readonly<Record<string, string>>,
    ...options: readonly string[]
  ): Promise<void> {
    const given = Object.entries(keys).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    await this.do("launch", IMAGE, name, ...given, ...options);
  }

  /** Has it listen on loopback, too, and take this password of clients that it doesn't know. */
  async overHttps(password: string): Promise<string> {
    await this.do("config", "set", "core.https_address", `127.0.0.1:${this.port}`);
    await this.do("config", "set", "core.trust_password", password);
    return `https://127.0.0.1:${this.port}`;
  }

  /** Kills the daemon as a crash would; its containers go on. */
  async kill(): Promise<void> {
    this.#daemon!.child.kill("SIGKILL");
    await this.#daemon![Symbol.asyncDispose]();
    this.#daemon = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { folder, lock, sysctls, hadTable } = this;
    await using stack = new AsyncDisposableStack(); // from the last to the first, whatever fails
    stack.defer(() => lock.close());
    stack.use(folder);
    stack.defer(() => unmount(folder.path));
    stack.defer(async () => {
      await run(["sysctl", "-qw", ...sysctls.trim().split("\n")]);
      if (!hadTable && await hasTable()) await run(["nft", "delete", "table", "inet", "lxd"]);
      // where processes are put that end; another LXD's may be in use, and then it stays
      await run(["sh", "-c", "rmdir /sys/fs/cgroup/*/lxc.pivot 2>&1 || true"]);
    });
    stack.defer(() => this.#daemon?.[Symbol.asyncDispose]());
    await this.#empty();
  }

  /** Only a daemon can end its containers and take its bridge away. */
  async #empty(): Promise<void> {
    if (this.#daemon === undefined) await this.restart();
    const left = async () => (await this.do("list", "-f", "csv", "-c", "n")).split("\n");
    for (const name of (await left()).filter((name) => name !== "")) {
      await this.do("delete", "-f", name);
    }
    if (!(await this.do("network", "list", "-f", "csv")).includes(BRIDGE)) return;
    const profile = { devices: {} };
    await this.do("query", "-X", "PUT", "-d", JSON.stringify(profile), "/1.0/profiles/default");
    const gone = async () => {
      await this.do("network", "delete", BRIDGE);
      return true;
    };
    await until(gone, 10_000, "the end of the bridge");
  }
}

/** LXD makes this table of nftables and leaves it, empty. */
async function hasTable(): Promise<boolean> {
  return (await run(["nft", "list", "tables"])).includes("table inet lxd\n");
}
