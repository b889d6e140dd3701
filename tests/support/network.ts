import { eachLine } from "./process.ts";

/**
 * A network for processes alone: loopback and nothing else, with settings of its own, which are nobody else's. Needs
 * `hasNetworks`. Disposing it, when the processes in it have ended, removes it.
 */
export class Network implements AsyncDisposable {
  private constructor(readonly holder: Deno.ChildProcess, readonly output: Promise<void>) {}

  /** Makes one with these sysctls. */
  static async start(sysctls: Readonly<Record<string, string | number>>): Promise<Network> {
    const settings = Object.entries(sysctls).map(([key, value]) => `${key}=${value}`);
    const script = 'ip link set lo up && sysctl -qw "$@" && echo up && exec cat';
    const holder = new Deno.Command("unshare", {
      args: ["-n", "sh", "-c", script, "sh", ...settings],
      stdin: "piped", // it ends with the test, however that ends
      stdout: "piped",
    }).spawn();
    const { promise: up, resolve, reject } = Promise.withResolvers<void>();
    const output = eachLine(holder.stdout, () => resolve());
    void output.then(() => reject(new Error("no network can be made here")));
    const network = new Network(holder, output);
    try {
      await up;
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A shell command that runs a program in it: see `RunOptions`. */
  get wrap(): string {
    return `exec nsenter --net=/proc/${this.holder.pid}/ns/net {}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holder.stdin.close().catch(() => {}); // it may have ended by itself
    await this.holder.status;
    await this.output;
  }
}
