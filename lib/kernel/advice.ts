import type { Log } from "../log.ts";
import { backendKey, type Member, type ServerTable } from "../model.ts";
import { addressOf, familiesOf } from "./bind_rules.ts";
import type { Family } from "./expressions.ts";

/** What {@link Advice} works with. */
export type AdviceOptions = {
  /** The host's switches that are off although packets of these versions are to be passed on. */
  readonly forwardingOff: (families: readonly Family[]) => Promise<readonly string[]>;
  readonly log: Log;
};

/** Tells, once each, what a server in the kernel needs of its surroundings and what it can't do. */
export class Advice {
  readonly #told = new Set<string>();

  /** Has told nothing yet. */
  constructor(readonly options: AdviceOptions) {}

  /** When a server begins. */
  async begins(server: ServerTable): Promise<void> {
    const { log } = this.options;
    for (const name of await this.options.forwardingOff(familiesOf(server))) {
      const hint = `sysctl -w ${name}=1`;
      this.#once(name, () => log.warning("the kernel passes nothing on to other hosts", { hint }));
    }
    if (server.forward !== "transparent") return;
    const hint = "on each of them: ip route replace default via ADDRESS_OF_THIS_HOST";
    this.#once(
      `route ${server.name}`,
      () =>
        log.info("backends see clients' own addresses: they have to answer through this host", {
          server: server.name,
          hint,
        }),
    );
  }

  /** When backends come. */
  leadsTo(table: ServerTable, members: readonly Member[]): void {
    const { name: server } = table;
    const own = isLoopback(addressOf(table) ?? "");
    const beyond = members.find(({ address }) => isLoopback(address) !== own);
    if (beyond !== undefined) {
      const text = own
        ? "a server on loopback reaches backends on loopback alone, when the kernel forwards"
        : "a backend on loopback can't be reached from elsewhere, when the kernel forwards";
      const backend = backendKey(beyond);
      this.#once(`loopback ${server}`, () => this.options.log.warning(text, { server, backend }));
    }
    const ignored = members.filter(({ maxConnections, sni, proxy }) =>
      maxConnections > 0 || sni !== "" || (proxy ?? 0) > 0
    );
    if (ignored.length === 0) return;
    this.#once(`ignored ${server}`, () =>
      this.options.log.warning(
        "max_connections, sni and PROXY headers of backends have no effect: the kernel forwards",
        { server, example: backendKey(ignored[0]!) },
      ));
  }

  #once(what: string, tell: () => void): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    tell();
  }
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
