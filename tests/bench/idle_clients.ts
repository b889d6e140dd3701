/** Clients that connect and say nothing. */
import { connect, times } from "../support/clients.ts";
import type { Arena } from "./arena.ts";

/** Opens connections through a proxy; resolves when the backend has them all. Dispose them: they are closed. */
export async function openIdle(
  { backend }: Arena,
  port: number,
  count: number,
): Promise<Disposable> {
  const before = await backend.openAtRest();
  const connections: Deno.Conn[] = [];
  const close = () => {
    for (const connection of connections) connection.close();
  };
  try {
    await times(count, 50, async () => {
      connections.push(await connect(port));
    });
    await backend.hasOpen(before + count);
  } catch (error) {
    close();
    throw error;
  }
  return { [Symbol.dispose]: close };
}
