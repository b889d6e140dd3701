/**
 * The least that a relay of datagrams in this runtime can be: a socket for each client, two loops with a buffer each.
 * What the program costs is compared with it. Run as `bare_udp_relay.ts BACKEND_PORT PORT`.
 */
async function answers(
  upstream: Deno.DatagramConn,
  listener: Deno.DatagramConn,
  client: Deno.Addr,
): Promise<void> {
  const buffer = new Uint8Array(65_535);
  for (;;) {
    const [data] = await upstream.receive(buffer);
    await listener.send(data, client);
  }
}

if (import.meta.main) {
  const [backend, port] = Deno.args.map(Number);
  const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: backend! };
  const listener = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: port! });
  const upstreams = new Map<number, Deno.DatagramConn>();
  const buffer = new Uint8Array(65_535);
  for (;;) {
    const [data, client] = await listener.receive(buffer);
    const from = (client as Deno.NetAddr).port;
    let upstream = upstreams.get(from);
    if (upstream === undefined) {
      upstream = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      upstreams.set(from, upstream);
      void answers(upstream, listener, client);
    }
    await upstream.send(data, to);
  }
}
