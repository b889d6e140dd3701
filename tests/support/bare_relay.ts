/**
 * The least that a relay in this runtime can be: accept, connect, two loops with a buffer of 1 KiB each. What
 * the program costs is compared with it. Run as `bare_relay.ts BACKEND_PORT`; prints the port it listens on.
 */
async function pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1024);
  for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
    for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
  }
  await to.closeWrite();
}

async function serve(client: Deno.TcpConn, port: number): Promise<void> {
  const backend = await Deno.connect({ hostname: "127.0.0.1", port });
  await Promise.allSettled([pump(client, backend), pump(backend, client)]);
  client.close();
  backend.close();
}

if (import.meta.main) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 4096 });
  console.log(listener.addr.port);
  for (;;) void serve(await listener.accept(), Number(Deno.args[0]));
}
