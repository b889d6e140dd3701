import { gatedServe } from "../api/gate.ts";
import { Challenges } from "../lib/acme/challenges.ts";
import { AcmeKeeper } from "../lib/acme/keeper.ts";
import { AcmeStore } from "../lib/acme/store.ts";
import { printHostPort } from "../lib/address.ts";
import { systemClock } from "../lib/clock.ts";
import { messageOf, StartError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "../lib/model.ts";
import { bindError } from "../lib/net/probe.ts";
import type { AcmeSpec } from "../lib/tls_model.ts";

/** Pause between two looks whether `[acme]` is another one. */
const LOOK_MS = 2_000;
/** Pause between two attempts to listen: another process may be about to leave. */
const LISTEN_PAUSE_MS = 5_000;
/** Callers at the same time, and how long one may stay: authorities ask from a handful of places. */
const CALLERS = 128;
const CALLER_MS = 5_000;

/** Finds out beforehand whether the folder for certificates can be used. @throws StartError */
export function probeAcme({ acme }: Config): void {
  if (acme !== undefined) new AcmeStore(acme.folder);
}

/**
 * Keeps certificates by ACME for all `acme_hosts`, and answers challenges, as the configuration in force says. Disposing
 * ends it.
 */
export function keepCertificates(config: () => Config, log: Log): Disposable {
  const stop = new AbortController();
  void follow(config, stop.signal, log);
  return { [Symbol.dispose]: () => stop.abort() };
}

async function follow(config: () => Config, signal: AbortSignal, log: Log): Promise<void> {
  let said: string | undefined;
  let running: AbortController | undefined;
  const end = () => running?.abort();
  signal.addEventListener("abort", end);
  while (!signal.aborted) {
    const { acme } = config();
    const says = JSON.stringify(acme);
    if (says !== said) {
      end();
      said = says;
      running = new AbortController();
      if (acme !== undefined) void keep(acme, config, running.signal, log);
    }
    await systemClock.sleep(LOOK_MS, signal);
  }
}

/** Does what one `[acme]` says. Nobody is asked before challenges can be answered. */
async function keep(
  spec: AcmeSpec,
  config: () => Config,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  try {
    const store = new AcmeStore(spec.folder);
    const challenges = new Challenges();
    await listen(spec, challenges, signal, log);
    if (signal.aborted) return;
    const options = { spec, store, challenges };
    await new AcmeKeeper({
      ...{ store, log, clock: systemClock, wallTime: Date.now, random: Math.random },
      // loaded when the first one is due: it takes long
      issue: async (host, limit) =>
        await (await import("../lib/acme/issue.ts")).issue(host, options, limit),
      hosts: () => hostsOf(config()),
    }).run(signal);
  } catch (error) {
    log.error("no certificates can be kept", {
      why: messageOf(error),
      ...error instanceof StartError ? { hint: error.hint } : {},
    });
  }
}

/** Every host that a server wants a certificate for, once. */
function hostsOf({ servers }: Config): string[] {
  const hosts = [...servers.values()].flatMap(({ tls }) =>
    (tls?.certificates ?? []).flatMap(({ acmeHost }) => acmeHost ?? [])
  );
  return [...new Set(hosts)];
}

/** Answers challenges until the signal aborts. Resolves when it does, which is when the address is free. */
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
      const server = gatedServe(CALLERS, CALLER_MS)(
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
