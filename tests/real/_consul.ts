import assert from "node:assert/strict";
import { freePort } from "../support/clients.ts";
import { until } from "../support/backends.ts";
import { bound, Daemon, Folder } from "./_daemon.ts";

/** What the agent is told by its configuration when ACLs are on. */
const MASTER = "7f0e9c6a-6f0b-4b43-8c1a-1f6c5a3f7d10";

/** A Consul agent that is its own server and keeps everything in memory: each start begins with nothing. Dispose it. */
export class Consul implements AsyncDisposable {
  #daemon: Daemon | undefined;

  private constructor(
    readonly folder: Folder,
    readonly port: number,
    readonly acls: boolean,
  ) {}

  /** Starts it. Resolves when it takes values. */
  static async start({ acls = false }: { readonly acls?: boolean } = {}): Promise<Consul> {
    const consul = new Consul(await Folder.make(), freePort(), acls);
    const tokens = { master: MASTER, agent: MASTER };
    await Deno.writeTextFile(
      `${consul.folder.path}/consul.json`,
      JSON.stringify({
        ports: {
          ...{ http: consul.port, dns: -1, grpc: -1 },
          ...{ serf_lan: freePort(), serf_wan: -1, server: freePort() },
        },
        disable_update_check: true,
        ...acls ? { acl: { enabled: true, default_policy: "deny", tokens } } : {},
      }),
    );
    try {
      await consul.restart();
    } catch (error) {
      await consul[Symbol.asyncDispose]();
      throw error;
    }
    return consul;
  }

  /** Starts it anew, after {@link kill}. */
  async restart(): Promise<void> {
    const argv = bound([
      "consul",
      "agent",
      "-dev",
      "-config-file",
      `${this.folder.path}/consul.json`,
    ]);
    this.#daemon = await Daemon.start(argv, this.port);
    await until(() => this.#takes(), 30_000, `Consul's first value; it said ${this.#daemon.log}`);
  }

  async #takes(): Promise<boolean> {
    const { ok, body } = await this.#ask("PUT", "kv/ready", "yes");
    await body?.cancel();
    return ok;
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  #ask(method: string, path: string, body?: string): Promise<Response> {
    return fetch(`http://${this.address}/v1/${path}`, {
      ...{ method, body: body ?? null, headers: this.acls ? { "x-consul-token": MASTER } : {} },
    });
  }

  /** Puts a value. */
  async put(key: string, value: string): Promise<void> {
    assert.equal((await (await this.#ask("PUT", `kv/${key}`, value)).text()).trim(), "true");
  }

  /** Removes a key. */
  async remove(key: string): Promise<void> {
    assert.equal((await (await this.#ask("DELETE", `kv/${key}`)).text()).trim(), "true");
  }

  /** A token that may read one key and nothing else. */
  async tokenFor(key: string): Promise<string> {
    const rules = `key "${key}" { policy = "read" }`;
    const name = `read-${key}`;
    const policy = await this.#ask(
      "PUT",
      "acl/policy",
      JSON.stringify({ Name: name, Rules: rules }),
    );
    assert.equal(policy.status, 200, await policy.text());
    const token = await this.#ask(
      "PUT",
      "acl/token",
      JSON.stringify({ Policies: [{ Name: name }] }),
    );
    return (await token.json()).SecretID;
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#daemon!.child.kill(signal);
  }

  /** Kills it as a crash would. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#daemon![Symbol.asyncDispose]();
    this.#daemon = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon !== undefined) {
      this.signal("SIGCONT");
      await this.#daemon[Symbol.asyncDispose]();
    }
    await this.folder[Symbol.asyncDispose]();
  }
}
