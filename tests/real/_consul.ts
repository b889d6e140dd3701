import assert from "node:assert/strict";
import { freePort } from "../support/clients.ts";
import { until } from "../support/backends.ts";
import { bound, Daemon, Folder } from "./_daemon.ts";

/** What the agent is told by its configuration when ACLs are on. */
const MASTER = "7f0e9c6a-6f0b-4b43-8c1a-1f6c5a3f7d10";

/** An instance of a service as Consul's agent takes it. */
export type ServiceInstance = {
  readonly ID: string;
  readonly Name: string;
  readonly Address?: string;
  readonly Port: number;
  readonly Tags?: readonly string[];
  readonly Meta?: Readonly<Record<string, string>>;
  readonly Weights?: { readonly Passing: number; readonly Warning: number };
  readonly Check?: { readonly TTL: string; readonly Status: string };
};

/** How an agent is started. */
export type ConsulStart = {
  /** Denies everything to whoever has no token. */
  readonly acls?: boolean;
  /** Paths of a certificate and its key: then it speaks HTTPS, too, on a port of its own. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
};

/** A Consul agent that is its own server and keeps everything in memory: each start begins with nothing. Dispose it. */
export class Consul implements AsyncDisposable {
  #daemon: Daemon | undefined;

  private constructor(
    readonly folder: Folder,
    readonly port: number,
    readonly acls: boolean,
    /** Where it speaks HTTPS, if it does. */
    readonly httpsPort: number,
  ) {}

  /** Starts it. Resolves when it takes values. */
  static async start({ acls = false, tls }: ConsulStart = {}): Promise<Consul> {
    const httpsPort = tls === undefined ? -1 : freePort();
    const consul = new Consul(await Folder.make(), freePort(), acls, httpsPort);
    const tokens = { master: MASTER, agent: MASTER };
    await Deno.writeTextFile(
      `${consul.folder.path}/consul.json`,
      JSON.stringify({
        ports: {
          ...{ http: consul.port, https: httpsPort, dns: -1, grpc: -1 },
          ...{ serf_lan: freePort(), serf_wan: -1, server: freePort() },
        },
        disable_update_check: true,
        ...tls === undefined ? {} : { cert_file: tls.cert, key_file: tls.key },
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

  /** Adds an instance of a service, or replaces the one with its ID. */
  async register(service: ServiceInstance): Promise<void> {
    const { status, text } = await this.#told("agent/service/register", JSON.stringify(service));
    assert.equal(status, 200, text);
  }

  /** Removes an instance by its ID. */
  async deregister(id: string): Promise<void> {
    const { status, text } = await this.#told(`agent/service/deregister/${id}`);
    assert.equal(status, 200, text);
  }

  /** Sets what the check of an instance says: it must have a TTL. */
  async say(id: string, what: "pass" | "warn" | "fail"): Promise<void> {
    const { status, text } = await this.#told(`agent/check/${what}/service:${id}`);
    assert.equal(status, 200, text);
  }

  async #told(path: string, body?: string): Promise<{ status: number; text: string }> {
    const answer = await this.#ask("PUT", path, body);
    return { status: answer.status, text: await answer.text() };
  }

  /** A token that may read one key and nothing else. */
  tokenFor(key: string): Promise<string> {
    return this.#token(`read-${key}`, `key "${key}" { policy = "read" }`);
  }

  /** A token that may see the instances of one service and nothing else. */
  tokenForService(service: string): Promise<string> {
    const node = `node_prefix "" { policy = "read" }`;
    return this.#token(`see-${service}`, `service "${service}" { policy = "read" } ${node}`);
  }

  async #token(name: string, rules: string): Promise<string> {
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
