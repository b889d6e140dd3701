import { fixedSource } from "../lib/source/source.ts";
import type { Balancer } from "./balancer.ts";
import type { Output } from "./output.ts";
import type { Parts } from "./parts.ts";
import { run, type RunOptions } from "./run.ts";

const NAMES = ["red", "green", "blue"];

/** Runs three small backends and a balancer in front of them. Returns the exit code. */
export async function demo(
  parts: Parts,
  place: Pick<RunOptions, "pidFile" | "takeover">,
  output: Output,
): Promise<number> {
  const backends = NAMES.map(startBackend);
  const text = demoConfig(backends.map(({ addr }) => `127.0.0.1:${addr.port}`));
  const source = fixedSource({ text, file: "demo", format: "toml" });
  const onListening = (balancer: Balancer) => output.out(banner(balancer));
  try {
    return await run(parts, { source, ...place, onListening }, output);
  } finally {
    await Promise.all(backends.map((backend) => backend.shutdown()));
  }
}

function startBackend(name: string): Deno.HttpServer<Deno.NetAddr> {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  // closing lets every request meet the strategy anew
  return Deno.serve(
    options,
    () => new Response(`hello from ${name}\n`, { headers: { connection: "close" } }),
  );
}

function demoConfig(backends: readonly string[]): string {
  return `
[logging]
level = "warn"

[api]
enabled = true
bind = "127.0.0.1:8888"

[servers.demo]
bind = "127.0.0.1:3000"
balance = "roundrobin"

[servers.demo.discovery]
kind = "static"
static_list = ${JSON.stringify(backends)}

[servers.demo.healthcheck]
kind = "ping"
interval = "2s"
timeout = "1s"
`;
}

function banner({ workers }: Balancer): string {
  return `
  Twixt is running its demo: one TCP server, three backends, ${workers.options.count} workers.

    curl http://127.0.0.1:3000                        a backend answers; ask again, another one does
    curl http://127.0.0.1:8888/servers/demo/stats     what each backend has done

  Your own:   twixt proxy :3000 HOST:PORT HOST:PORT   or   twixt init twixt.toml
  Ctrl-C ends it.

`;
}
