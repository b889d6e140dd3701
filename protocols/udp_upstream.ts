/** A socket towards a backend's address, on a port that the system chooses. @throws What the runtime throws. */
export function openUpstream(address: string): Deno.DatagramConn {
  const hostname = address.includes(":") ? "::" : "0.0.0.0";
  return Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
}

/** The sockets that datagrams leave from for whose answers nobody waits: one for each family. */
export class Upstreams {
  readonly #open = new Map<boolean, Deno.DatagramConn>();

  /** The socket towards an address. @throws What the runtime throws. */
  to(address: string): Deno.DatagramConn {
    const v6 = address.includes(":");
    let socket = this.#open.get(v6);
    if (socket === undefined) this.#open.set(v6, socket = openUpstream(address));
    return socket;
  }

  /** Closes them. */
  close(): void {
    for (const socket of this.#open.values()) socket.close();
    this.#open.clear();
  }
}
