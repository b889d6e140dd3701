import { printHostPort } from "../../lib/address.ts";
import { freePort } from "../support/clients.ts";
import { bound, Daemon, type Folder, unprivileged } from "./_daemon.ts";

/** Where it listens. */
export type DnsmasqOptions = { readonly hostname?: string; readonly port?: number };

/** A dnsmasq that knows the domain `test` and nothing else, to be restarted with other records. Dispose it. */
export class Dnsmasq implements AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  #daemon: Daemon | undefined;

  private constructor(readonly folder: Folder, options: DnsmasqOptions) {
    this.hostname = options.hostname ?? "127.0.0.1";
    this.port = options.port ?? freePort();
  }

  /** Starts one with these lines of its configuration. */
  static async start(
    folder: Folder,
    lines: readonly string[],
    options: DnsmasqOptions = {},
  ): Promise<Dnsmasq> {
    const dnsmasq = new Dnsmasq(folder, options);
    await dnsmasq.serve(lines);
    return dnsmasq;
  }

  /** `host:port`, as a configuration has it. */
  get address(): string {
    return printHostPort(this.hostname, this.port);
  }

  /** Serves these records from now on, and nothing else; it is away for a moment. */
  async serve(lines: readonly string[]): Promise<void> {
    await this.stop();
    const { hostname, port } = this;
    const file = `${this.folder.path}/dnsmasq-${port}.conf`;
    const own = [`port=${port}`, `listen-address=${hostname}`, "bind-interfaces", "no-resolv"];
    const quiet = ["no-hosts", "local=/test/", "local-ttl=1", "cache-size=0"];
    await Deno.writeTextFile(file, [...own, ...quiet, ...lines, ""].join("\n"));
    const argv = ["dnsmasq", "--no-daemon", `--conf-file=${file}`] as const;
    this.#daemon = await Daemon.start(
      port < 1024 ? bound(argv) : unprivileged(argv),
      port,
      hostname,
    );
  }

  /** Ends it; nobody answers any more. */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.[Symbol.asyncDispose]();
  }

  /** Makes it hang, with its sockets open, or go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#daemon!.child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
