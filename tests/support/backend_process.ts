/**
 * A backend in a process of its own, to be killed: prints its port, then answers each byte with the same byte.
 * Run by {@link spawnBackend}.
 */
import { fromFileUrl } from "./paths.ts";

/** A backend that can be killed. */
export type BackendProcess = AsyncDisposable & {
  readonly port: number;
  readonly child: Deno.ChildProcess;
};

/** Starts one; disposing kills it. Port 0 lets the system choose. */
export async function spawnBackend(port = 0): Promise<BackendProcess> {
  const file = fromFileUrl(new URL(import.meta.url));
  const args = ["run", "--no-prompt", "--no-check", "-N", "--unstable-net", file, String(port)];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  const said = new TextDecoder().decode(value).trim();
  if (!/^\d+$/.test(said)) throw new Error(`the backend didn't start: ${said}`);
  return {
    port: Number(said),
    child,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // the test has killed it
      }
      await child.status;
    },
  };
}

async function serve(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  try {
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      await conn.write(buffer.subarray(0, n));
    }
  } catch {
    // the client has gone
  }
  conn.close();
}

if (import.meta.main) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
  console.log(listener.addr.port);
  for (;;) void serve(await listener.accept());
}
