import { messageOf } from "../errors.ts";
import type { Flows } from "../host/conntrack.ts";
import { MissingProgramError } from "../host/program.ts";
import type { Log } from "../log.ts";
import type { ServerTable } from "../model.ts";
import { addressOf, familiesOf } from "./bind_rules.ts";
import { familyOf } from "./expressions.ts";
import type { Place } from "./names.ts";

/** What {@link FlowEnder} works with. */
export type FlowEnderOptions = {
  readonly flows: Flows;
  /** The addresses of this host. */
  readonly addresses: () => readonly string[];
  readonly log: Log;
};

/** A server, as far as its connections can be told by it. */
export type Ended = Pick<ServerTable, "protocol" | "port" | "hostname">;

/**
 * Ends connections that the kernel forwards by making it forget them. Rules see a connection's first packet alone, so
 * nothing else would. What can't be done is logged once, and never thrown: clients are led to backends without it.
 */
export class FlowEnder {
  /** What the log has told of. */
  #told = "";

  /** Ends none yet. */
  constructor(readonly options: FlowEnderOptions) {}

  /** Those of a server with one backend. */
  async endOn(server: ServerTable, { address, port }: Place): Promise<void> {
    const own = addressOf(server);
    const filter = {
      protocol: server.protocol,
      port: server.port,
      ...own === undefined ? {} : { address: own },
      backend: { address, port },
    };
    const count = await this.#attempt(() => this.options.flows.remove(filter));
    if (!count) return;
    const backend = `${address}:${port}`;
    this.options.log.debug("connections were ended", { server: server.name, backend, count });
  }

  /** All that clients have with a server's port. */
  async endAll(server: Ended): Promise<void> {
    const { protocol, port } = server;
    for (const address of this.#addresses(server)) {
      await this.#attempt(() => this.options.flows.remove({ protocol, port, address }));
    }
  }

  /**
   * TCP connections of a server that are open: 0 where there is no program that could tell, and at least one where it
   * didn't tell this time.
   */
  async countOpen(server: Ended): Promise<number> {
    if (server.protocol === "udp") return 0;
    const own = addressOf(server);
    const filter = { port: server.port, ...own === undefined ? {} : { address: own } };
    try {
      return await this.options.flows.countOpen(filter);
    } catch (error) {
      this.#tell(error);
      return error instanceof MissingProgramError ? 0 : 1;
    }
  }

  #addresses(server: Ended): readonly string[] {
    const own = addressOf(server);
    if (own !== undefined) return [own];
    const families = familiesOf(server);
    return this.options.addresses().filter((each) => families.includes(familyOf(each)));
  }

  async #attempt<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  #tell(error: unknown): void {
    const missing = error instanceof MissingProgramError;
    const why = missing ? "there is no program conntrack" : messageOf(error);
    if (why === this.#told) return;
    this.#told = why;
    const hint = missing ? { hint: "apt-get install -y conntrack" } : {};
    this.options.log.warning(
      "connections that the kernel forwards can't be ended or counted: they stay with their backends",
      { why, ...hint },
    );
  }
}
