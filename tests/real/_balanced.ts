import assert from "node:assert/strict";
import { until } from "../support/backends.ts";
import { Twixt } from "../support/twixt.ts";

/** A backend in the stats that the API gives, as far as tests here look at it. */
type BackendStats = {
  readonly stats: {
    readonly live: boolean;
    readonly total_connections: number;
    readonly active_connections: number;
    readonly refused_connections: number;
  };
};

/** Twixt with two workers and one server, round robin, in front of real backends. Dispose it. */
export class Balanced implements AsyncDisposable {
  private constructor(readonly twixt: Twixt, readonly port: number, readonly atRest: number) {}

  /** Starts it, and counts its descriptors while it has no session. */
  static async start(backends: readonly string[]): Promise<Balanced> {
    const twixt = await Twixt.start({
      config: {
        workers: 2,
        api: { enabled: true, bind: "127.0.0.1:0" },
        servers: {
          real: {
            bind: "127.0.0.1:0",
            balance: "roundrobin",
            discovery: { kind: "static", static_list: backends },
            healthcheck: { kind: "ping", interval: "1s", timeout: "1s" },
          },
        },
      },
    });
    await (await twixt.api("/servers")).body?.cancel(); // what is opened once, at the first call, is open
    const counts: number[] = [];
    for (let i = 0; i < 5; i++) counts.push(await twixt.descriptors()); // a check may be on its way
    return new Balanced(twixt, twixt.port("real"), Math.min(...counts));
  }

  /** Its backends as the API shows them. */
  async backends(): Promise<readonly BackendStats[]> {
    return (await this.twixt.stats("real")).backends;
  }

  /**
   * Fails where a backend was left out, refused or held for dead, or where a session or a descriptor is still there 10
   * seconds after the last client has gone.
   */
  async assertClean(): Promise<void> {
    for (const { stats } of await this.backends()) {
      assert.equal(stats.live, true);
      assert.equal(stats.refused_connections, 0);
      assert.ok(stats.total_connections > 0, "a backend was never used");
    }
    await until(() => this.#noSession(), 10_000, "the end of the last session");
    const returned = async () => await this.twixt.descriptors() <= this.atRest;
    await until(returned, 10_000, `the return to ${this.atRest} descriptors`);
  }

  async #noSession(): Promise<boolean> {
    const { active_connections } = await this.twixt.stats("real");
    const backends = await this.backends();
    return active_connections === 0 &&
      backends.every((each) => each.stats.active_connections === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.twixt[Symbol.asyncDispose]();
  }
}
