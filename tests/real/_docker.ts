import { run } from "../support/real.ts";
import { until } from "../support/backends.ts";
import { bound, Daemon, Folder, freePort, onlyOne, unmount } from "./_daemon.ts";
import { endContainers, Network, sweep } from "./_docker_host.ts";

/** The programs that {@link Docker} needs. */
export const DOCKER_PROGRAMS = [
  ...["dockerd", "containerd", "docker", "busybox", "iptables-save", "ip6tables-save", "ip"],
  ...["setpriv", "sysctl", "tar", "umount", "ps"],
];

/** The image that {@link Docker} has: busybox and nothing else. */
const IMAGE = "twixt-test";

/**
 * A Docker daemon of the test's own, with one image. Needs root. Dispose it: its containers, networks, rules and files
 * go, and what else there is of the host's network is as it was.
 */
export class Docker implements AsyncDisposable {
  #daemon: Daemon | undefined;

  private constructor(
    readonly folder: Folder,
    /** Where it listens on loopback. */
    readonly port: number,
    readonly args: readonly string[],
    readonly lock: Deno.FsFile,
    readonly before: Network,
  ) {}

  /** Starts it. `args` are more options of dockerd. */
  static async start(args: readonly string[] = ["--tls=false"]): Promise<Docker> {
    const lock = await onlyOne("docker"); // all daemons share one default bridge and its rules
    await sweep();
    const docker = new Docker(await Folder.make(), freePort(), args, lock, await Network.now());
    try {
      await docker.restart();
      await docker.#build();
    } catch (error) {
      await docker[Symbol.asyncDispose]();
      throw error;
    }
    return docker;
  }

  /** `unix:///…`, as a configuration has it. */
  get endpoint(): string {
    return `unix://${this.folder.path}/docker.sock`;
  }

  /** Starts it anew, after {@link kill}. */
  async restart(): Promise<void> {
    const { path } = this.folder;
    const argv = bound([
      ...["dockerd", "--storage-driver=vfs", "--data-root", `${path}/data`] as const,
      ...["--exec-root", `${path}/exec`, "--pidfile", `${path}/docker.pid`],
      ...["--host", this.endpoint, "--host", `tcp://127.0.0.1:${this.port}`],
      ...this.args,
    ]);
    this.#daemon = await Daemon.start(argv, this.port);
    await until(
      () => this.#answers(),
      30_000,
      `dockerd's first answer; it said ${this.#daemon.log}`,
    );
  }

  async #answers(): Promise<boolean> {
    try {
      await this.do("version");
      return true;
    } catch {
      return false; // it exits with 1 until there is a daemon
    }
  }

  async #build(): Promise<void> {
    const root = `${this.folder.path}/image`;
    await run(["mkdir", "-p", `${root}/bin`, `${root}/www`]);
    await run(["cp", "/bin/busybox", `${root}/bin/busybox`]);
    await Deno.symlink("busybox", `${root}/bin/sh`);
    await run(["tar", "-C", root, "-cf", `${root}.tar`, "."]);
    await this.do("import", `${root}.tar`, IMAGE);
  }

  /** Runs a command of Docker's client and gives what it wrote. */
  async do(...args: readonly string[]): Promise<string> {
    return (await run(["docker", "-H", this.endpoint, ...args])).trim();
  }

  /** Starts a container that says its name by HTTP on port 80. */
  async serve(name: string, ...options: readonly string[]): Promise<void> {
    await this.do("run", "-d", "--name", name, ...options, ...saying(name));
  }

  /** Kills the daemon as a crash would; its containers go on. */
  async kill(): Promise<void> {
    const containerd = await Deno.readTextFile(
      `${this.folder.path}/exec/containerd/containerd.pid`,
    );
    this.#daemon!.child.kill("SIGKILL");
    await this.#daemon![Symbol.asyncDispose]();
    this.#daemon = undefined;
    // it dies with its daemon; a new daemon that finds it dying waits for it for ever
    await run([
      "sh",
      "-c",
      `for i in $(seq 50); do kill -9 ${containerd} 2>&1 || exit 0; sleep 0.1; done`,
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { folder, lock, before } = this;
    await using stack = new AsyncDisposableStack(); // from the last to the first, whatever fails
    stack.defer(() => lock.close());
    stack.use(folder);
    stack.defer(() => unmount(folder.path));
    stack.defer(() => before.restore());
    stack.defer(() => endContainers(folder.path));
    stack.defer(() => this.#daemon?.[Symbol.asyncDispose]());
    await this.#empty();
  }

  /** Only a daemon can end its containers. */
  async #empty(): Promise<void> {
    if (this.#daemon === undefined) await this.restart();
    await run(["sh", "-c", `docker -H ${this.endpoint} swarm leave --force 2>&1 || true`]);
    const gone = async () => {
      // a task that the swarm removes at the same time is an error, so is a container that has gone
      const rm =
        `docker -H ${this.endpoint} ps -aq | xargs -r docker -H ${this.endpoint} rm -f 2>&1`;
      await run(["sh", "-c", `${rm} || true`]);
      return await this.do("ps", "-aq") === "";
    };
    await until(gone, 30_000, "the end of its containers");
    await this.do("network", "prune", "-f");
  }
}

/** The image and the command of a container that says something by HTTP on port 80. */
export function saying(text: string): readonly string[] {
  const command = `echo ${text} >/www/index.html; exec busybox httpd -f -p 80 -h /www`;
  return [IMAGE, "/bin/busybox", "sh", "-c", command];
}
