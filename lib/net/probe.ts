import { StartError } from "../errors.ts";
import type { Bind, ServerSpec } from "../model.ts";
import { classify, whatHappened } from "./errors.ts";

/**
 * Finds out whether an address can be listened on, by doing so for a moment. Workers share their port with
 * `reusePort`, under which a second process would bind it silently: this plain bind wouldn't.
 *
 * @param what Who wants it, as in `server "web"`.
 * @returns The port: the one asked for, or the one that the system chose for 0.
 * @throws StartError that says what to do.
 */
export function probe(
  bind: Bind,
  what: string,
  protocol: ServerSpec["protocol"] = "tcp",
): number {
  using listener = listen(bind, what, protocol);
  return listener.port;
}

/** A port that is held; disposing it lets it go. */
type Held = Disposable & { readonly port: number };

function listen(bind: Bind, what: string, protocol: ServerSpec["protocol"]): Held {
  const { hostname, port } = bind;
  try {
    const listener = protocol === "udp"
      ? Deno.listenDatagram({ transport: "udp", hostname, port })
      : Deno.listen({ hostname, port });
    return {
      port: (listener.addr as Deno.NetAddr).port,
      [Symbol.dispose]: () => listener.close(),
    };
  } catch (error) {
    throw bindError(error, bind, what, protocol);
  }
}

/**
 * Probes the binds of servers. Returns their ports by name; no two of those that the system chooses are the same.
 *
 * @param held The port of a bind that needs no probe.
 * @throws StartError that names all binds that can't be listened on.
 */
export function probeAll(
  specs: readonly ServerSpec[],
  held: (spec: ServerSpec) => number | undefined,
): Map<string, number> {
  const ports = new Map<string, number>();
  const failures: StartError[] = [];
  using chosen = new DisposableStack(); // open until all are: else the system might choose one a second time
  for (const spec of specs) {
    const what = `server "${spec.name}"`;
    try {
      const port = held(spec) ??
        (spec.bind.port > 0
          ? probe(spec.bind, what, spec.protocol)
          : chosen.use(listen(spec.bind, what, spec.protocol)).port);
      ports.set(spec.name, port);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0]!;
  if (failures.length > 1) {
    const lines = failures.map((failure) => `${failure.message} (${failure.hint})`);
    throw new StartError(lines.join("\n       "), "nothing has been changed");
  }
  return ports;
}

/** Why an address can't be bound, and what to do. */
export function bindError(
  error: unknown,
  bind: Bind,
  what: string,
  protocol: ServerSpec["protocol"] = "tcp",
): StartError {
  const text = `${what} can't listen on ${bind.text}: ${whatHappened(error)}`;
  switch (classify(error)) {
    case "in_use":
      return new StartError(
        text,
        `see who has it: ss -l${protocol[0]}np 'sport = :${bind.port}'`,
        false,
        error,
      );
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
