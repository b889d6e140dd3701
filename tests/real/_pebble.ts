import { certificate } from "../support/certificates.ts";
import { bound, Daemon, Folder, freePort } from "./_daemon.ts";
import { run } from "../support/real.ts";

/** Pebble, Let's Encrypt's authority for tests, for which every host is at 127.0.0.1. */
export class Pebble implements AsyncDisposable {
  private constructor(
    readonly stack: AsyncDisposableStack,
    /** The URL of its directory. */
    readonly directory: string,
    /** The file of who has signed its own certificate. */
    readonly ca: string,
    /** Where it asks for HTTP-01 challenges. */
    readonly httpPort: number,
    readonly management: number,
  ) {}

  static async start(): Promise<Pebble> {
    const stack = new AsyncDisposableStack();
    const { path } = stack.use(await Folder.make());
    const { cert, key, ca } = await certificate(path, "pebble");
    const [port, management, httpPort, dns, control] = Array.from({ length: 5 }, () => freePort());
    const file = `${path}/pebble.json`;
    await Deno.writeTextFile(
      file,
      JSON.stringify({
        pebble: {
          ...{
            listenAddress: `127.0.0.1:${port}`,
            managementListenAddress: `127.0.0.1:${management}`,
          },
          ...{ certificate: cert, privateKey: key, httpPort, tlsPort: freePort() },
          ...{ ocspResponderURL: "", externalAccountBindingRequired: false },
        },
      }),
    );
    const names = ["-dns01", `127.0.0.1:${dns}`, "-management", `127.0.0.1:${control}`];
    const others = ["-http01", "-https01", "-tlsalpn01", "-defaultIPv6"].flatMap((
      key,
    ) => [key, ""]);
    stack.use(
      await Daemon.start(
        bound(["pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", ...others, ...names]),
        control!,
      ),
    );
    const argv = ["pebble", "-config", file, "-dnsserver", `127.0.0.1:${dns}`];
    const env = ["PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0"];
    stack.use(await Daemon.start(bound(["env", ...env, ...argv]), port!));
    return new Pebble(stack, `https://127.0.0.1:${port}/dir`, ca, httpPort!, management!);
  }

  /** What it signs certificates with: the path of a file with its root. */
  async root(folder: string): Promise<string> {
    const path = `${folder}/pebble-root.pem`;
    const url = `https://127.0.0.1:${this.management}/roots/0`;
    await Deno.writeTextFile(path, await run(["curl", "-sSf", "--cacert", this.ca, url]));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack[Symbol.asyncDispose]();
  }
}
