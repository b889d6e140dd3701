import assert from "node:assert/strict";
import { TcpBackend, until } from "../support/backends.ts";
import { connect, pause, times } from "../support/clients.ts";
import { hasProc, works } from "../support/host.ts";
import { fromFileUrl } from "../support/paths.ts";
import { staticServer } from "../support/static_server.ts";
import { residentOf, Twixt } from "../support/twixt.ts";

const CONNECTIONS = 2_000;
const ALLOWED = 1.25;
const ROUNDS = 2;
const RELAY = fromFileUrl(new URL("../support/bare_relay.ts", import.meta.url));
/** Each process, this one too, has two descriptors a connection. */
const enoughDescriptors = works('h=$(ulimit -Hn); [ "$h" = unlimited ] || [ "$h" -ge 6000 ]');

Deno.test("2,000 idle connections take at most 1.25 x the memory that a bare relay loop takes", {
  ignore: !hasProc || !enoughDescriptors,
  timeout: 120_000,
}, async () => {
  const relay: number[] = [];
  const one: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    relay.push(await bareRelay());
    one.push(await twixt(1));
  }
  const two = await twixt(2);
  const ratio = Math.min(...one) / Math.min(...relay);
  const kib = (values: number[]) => values.map((bytes) => (bytes / 1024).toFixed(1)).join(", ");
  console.log(
    `an idle connection takes ${kib(one)} KiB; ${kib([two])} with 2 workers; ` +
      `${kib(relay)} in a bare relay; ratio ${ratio.toFixed(2)}`,
  );
  assert(ratio <= ALLOWED, `${ratio.toFixed(2)} x a bare relay`);
});

async function twixt(workers: number): Promise<number> {
  await using backend = silent();
  await using twixt = await Twixt.start({
    config: { workers, servers: { web: staticServer([backend]) } },
  });
  const before = await twixt.descriptors();
  const bytes = await growth(backend, twixt.port("web"), () => twixt.resident());
  await twixt.descriptorsReturn(before);
  return bytes;
}

async function bareRelay(): Promise<number> {
  await using backend = silent();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--unstable-net",
      "--v8-flags=--no-allocation-site-pretenuring", // as the program has it
      "-N",
      RELAY,
      String(backend.port),
    ],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  try {
    const port = Number(new TextDecoder().decode((await reader.read()).value));
    return await growth(backend, port, () => residentOf(child.pid));
  } finally {
    child.kill("SIGKILL");
    await reader.cancel();
    await child.status;
  }
}

/** A backend that says nothing until the client ends. */
function silent(): TcpBackend {
  return new TcpBackend(async (conn) => {
    await conn.read(new Uint8Array(16));
  });
}

/** What an idle connection adds to the resident memory, in bytes. */
async function growth(
  backend: TcpBackend,
  port: number,
  resident: () => Promise<number>,
): Promise<number> {
  await pause(1_000); // memory of the start is given back by then
  const before = await resident();
  const open: Deno.Conn[] = [];
  try {
    await times(CONNECTIONS, 20, async () => {
      open.push(await connect(port));
    });
    await until(() => backend.open === CONNECTIONS);
    await pause(3_000); // nothing moves; the collector may
    return (await resident() - before) / CONNECTIONS;
  } finally {
    for (const conn of open) conn.close();
    await until(() => backend.open === 0);
  }
}
