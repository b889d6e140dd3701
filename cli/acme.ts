import { gatedServe } from "../api/gate.ts";
import { Challenges } from "../lib/acme/challenges.ts";
import { AcmeKeeper } from "../lib/acme/keeper.ts";
import { AcmeStore } from "../lib/acme/store.ts";
import { printHostPort } from "../lib/address.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "../lib/model.ts";
import { bindError } from "../lib/net/probe.ts";
import type { AcmeSpec } from "../lib/tls_model.ts";

/** Pause between two attempts to listen: another process may be about to leave. */
const LISTEN_PAUSE_MS = 5_000;
/** Callers at the same time: authorities ask from a handful of places. */
const CALLERS = 32;

/**
 * Keeps certificates by ACME for all `acme_hosts`, and answers challenges. Disposing ends it.
 * @param config Gives the configuration in force.
 * @throws StartError where the folder for certificates can't be used
 */
export function startAcme(spec: AcmeSpec, config: () => Config, log: Log): Disposable {
  const stop = new AbortController();
  const store = new AcmeStore(spec.folder);
  const challenges = new Challenges();
  const issuer = async () =>
    (await import("../lib/acme/issue.ts")).issuerOf(spec, store, challenges);
  const keeper = new AcmeKeeper({
    ...{ store, log, clock: systemClock, wallTime: Date.now, random: Math.random },
    issue: async (host, signal) => (await issuer())(host, signal),
    hosts: () => hostsOf(config()),
  });
  void listen(spec, challenges, stop.signal, log);
  void keeper.run(stop.signal);
  return { [Symbol.dispose]: () => stop.abort() };
}

/** Every host that a server wants a certificate for, once. */
function hostsOf({ servers }: Config): string[] {
  const hosts = [...servers.values()].flatMap(({ tls }) =>
    (tls?.certificates ?? []).flatMap(({ acmeHost }) => acmeHost ?? [])
  );
  return [...new Set(hosts)];
}

/** Answers challenges until the signal aborts, from when the address is free on. */
async function listen(
  { bind }: AcmeSpec,
  challenges: Challenges,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  for (let told = false; !signal.aborted; told = true) {
    try {
      const { hostname, port } = bind;
      const onError = () => new Response(null, { status: 500 });
      const server = gatedServe(CALLERS)(
        { hostname, port, onListen: () => {}, onError },
        (request) => challenges.answer(request),
      );
      const address = printHostPort(server.addr.hostname, server.addr.port);
      log.info("challenges are answered", { address });
      signal.addEventListener("abort", () => void server.shutdown(), { once: true });
      return;
    } catch (error) {
      const { message, hint } = bindError(error, bind, "acme.http_bind");
      if (!told) log.error(message, { hint, retry_in_s: LISTEN_PAUSE_MS / 1000 });
      await systemClock.sleep(LISTEN_PAUSE_MS, signal);
    }
  }
}
