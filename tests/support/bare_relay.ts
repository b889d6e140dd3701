/**
 * The least that a relay in this runtime can be: accept, connect, two loops with a buffer each. What the program costs
 * is compared with it. Run as `bare_relay.ts BACKEND_PORT [PORT [BUFFER_BYTES [CERTIFICATE KEY]]]`, by default on a port
 * that the system chooses, which is printed, with 1 KiB, and in the plain.
 */
async function pump(from: Deno.Conn, to: Deno.Conn, bufferBytes: number): Promise<void> {
  const buffer = new Uint8Array(bufferBytes);
  for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
    for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
  }
  await to.closeWrite();
}

async function serve(client: Deno.Conn, port: number, bufferBytes: number): Promise<void> {
  const backend = await Deno.connect({ hostname: "127.0.0.1", port });
  await Promise.allSettled([
    pump(client, backend, bufferBytes),
    pump(backend, client, bufferBytes),
  ]);
  client.close();
  backend.close();
}

if (import.meta.main) {
  const [backend, port = 0, bufferBytes = 1024] = Deno.args.slice(0, 3).map(Number);
  const [cert, key] = Deno.args.slice(3).map((path) => Deno.readTextFileSync(path));
  const options = { hostname: "127.0.0.1", port, tcpBacklog: 4096 };
  const listener: Deno.Listener<Deno.Conn> = cert === undefined || key === undefined
    ? Deno.listen(options)
    : Deno.listenTls({ ...options, cert, key });
  console.log((listener.addr as Deno.NetAddr).port);
  for (;;) void serve(await listener.accept(), backend!, bufferBytes);
}
