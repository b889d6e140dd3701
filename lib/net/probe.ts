import { StartError } from "../errors.ts";
import type { Bind } from "../model.ts";
import { classify, whatHappened } from "./errors.ts";

/**
 * Finds out whether an address can be listened on, by doing so for a moment. Workers share their port with
 * `reusePort`, under which a second process would bind it silently: this plain bind wouldn't.
 *
 * @param what Who wants it, as in `server "web"`.
 * @returns The port: the one asked for, or the one that the system chose for 0.
 * @throws StartError that says what to do.
 */
export function probe(bind: Bind, what: string): number {
  try {
    using listener = Deno.listen({ hostname: bind.hostname, port: bind.port });
    return listener.addr.port;
  } catch (error) {
    throw bindError(error, bind, what);
  }
}

/** Why an address can't be bound, and what to do. */
export function bindError(error: unknown, bind: Bind, what: string): StartError {
  const text = `${what} can't listen on ${bind.text}: ${whatHappened(error)}`;
  switch (classify(error)) {
    case "in_use":
      return new StartError(text, `see who has it: ss -ltnp 'sport = :${bind.port}'`, false, error);
    case "permission":
      return new StartError(
        text,
        "ports below 1024 are reserved: sysctl net.ipv4.ip_unprivileged_port_start=0, " +
          "or setcap cap_net_bind_service=+ep on the executable",
      );
    case "not_local":
      return new StartError(
        `${what} can't listen on ${bind.text}: not an address of this host`,
        "see its addresses: ip -brief address; or bind all of them with :PORT",
      );
    default:
      return new StartError(text, "choose another bind");
  }
}
