/**
 * `deno task bench-kernel`: what the kernel's forwarding costs beside HAProxy and no balancer at all. Client, balancer and
 * backend have a network each on this machine; counted is the CPU of the whole system, since nobody's process forwards.
 * Needs root, and takes less than 3 minutes.
 *
 * @module
 */
import { find } from "../support/real.ts";
import { fromFileUrl } from "../support/paths.ts";
import { Networks, PORT } from "../support/networks.ts";
import { inTurn } from "./arena.ts";
import { Daemon } from "./daemon.ts";
import { machine } from "./kernel.ts";
import { Progress } from "./progress.ts";
import { median, printSpread, spread } from "./statistics.ts";
import { busySeconds } from "./whole_system.ts";
import { parseReport, SCRIPT } from "./wrk.ts";

const ROUNDS = 7;
const SECONDS = 1;
/** What starting and ending one of them takes, about. */
const AROUND_SECONDS = 1;
const CONNECTIONS = 64;
const LIMIT_SECONDS = 170;

/** Where clients go, and how what is there is started; undefined: nothing is to be started. */
type Entrant = {
  readonly label: string;
  readonly address: string;
  readonly argv?: readonly string[];
};

const LOADS = { "keep-alive request": "keep-alive", "short connection": "close" } as const;
type Load = keyof typeof LOADS;

const PORTS = ["net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1"];
const BALANCER = "10.99.0.1";
const BACKEND = `10.99.1.2:${PORT}`;
const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));

/** Runs all rounds and prints the table. Returns the exit code. */
async function main(): Promise<number> {
  const missing = ["ip", "nft", "nginx", "haproxy", "wrk", "curl"].filter((name) => !find(name));
  if (missing.length > 0) {
    console.error(`error: there is no ${missing.join(", ")}\n       run tests/real/setup.sh`);
    return 1;
  }
  await using stack = new AsyncDisposableStack();
  const interrupted = Promise.withResolvers<number>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupted.resolve(130));
  }
  return await Promise.race([run(stack), interrupted.promise]);
}

async function run(stack: AsyncDisposableStack): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "twixt-bench-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const networks = stack.use(await Networks.make(1));
  // else thousands of short connections a second use up the ports
  for (const role of ["client", "balancer", "b1"]) {
    await networks.in(role, "sysctl", "-qw", ...PORTS);
  }
  stack.use(await startBackend(networks, folder));
  await Deno.writeTextFile(`${folder}/report.lua`, SCRIPT);
  const entrants = await entrantsOf(folder);
  const costs = new Map<string, number[]>();
  const loads = Object.keys(LOADS) as Load[];
  const planned = ROUNDS * entrants.length * (loads.length * SECONDS + AROUND_SECONDS);
  const progress = new Progress(planned, LIMIT_SECONDS);
  for (let round = 0; round < ROUNDS && !progress.over(planned / ROUNDS); round++) {
    for (const entrant of inTurn(entrants, round)) {
      progress.step(`round ${round + 1}`, entrant.label, loads.length * SECONDS + AROUND_SECONDS);
      await using _daemon = await startEntrant(networks, entrant);
      for (const load of loads) {
        const key = `${entrant.label}/${load}`;
        const us = await measure(networks, folder, entrant, load);
        costs.set(key, [...costs.get(key) ?? [], us]);
      }
    }
  }
  progress.end();
  console.log(await report(entrants, costs));
  return 0;
}

/** Microseconds of CPU for each request, all of the system together. */
async function measure(
  networks: Networks,
  folder: string,
  { address }: Entrant,
  load: Load,
): Promise<number> {
  const before = await busySeconds();
  const said = await networks.in(
    "client",
    ...["wrk", "-t", "1", "-c", String(CONNECTIONS), "-d", `${SECONDS}s`],
    ...["-H", `Connection: ${LOADS[load]}`, "-s", `${folder}/report.lua`, `http://${address}/`],
  );
  const busy = await busySeconds() - before;
  const { requests, errors } = parseReport(said);
  if (errors > requests / 100) throw new Error(`${errors} errors by ${address}:\n${said}`);
  return busy * 1e6 / requests;
}

async function report(
  entrants: readonly Entrant[],
  costs: ReadonlyMap<string, readonly number[]>,
): Promise<string> {
  const of = (label: string, load: string) => costs.get(`${label}/${load}`)!;
  const direct = entrants[0]!.label;
  const lines = Object.keys(LOADS).flatMap((load) => [
    "",
    `| CPU of the system for each ${load}, µs | | above direct |`,
    "| --- | --- | --- |",
    ...entrants.map(({ label }) => {
      const above = median(of(label, load).map((us, round) => us - of(direct, load)[round]!));
      return `| ${label} | ${printSpread(spread(of(label, load)))} | ${
        label === direct ? "" : above.toFixed(1)
      } |`;
    }),
  ]);
  return [`${await machine()}, ${ROUNDS} rounds: median (least..greatest)`, ...lines].join("\n");
}

async function entrantsOf(folder: string): Promise<Entrant[]> {
  const twixt = async (forward: string, port: number): Promise<Entrant> => {
    const file = `${folder}/${forward}.json`;
    const discovery = { kind: "static", static_list: [BACKEND] };
    const web = { bind: `${BALANCER}:${port}`, forward, discovery };
    const config = { logging: { level: "warn" }, workers: 1, servers: { web } };
    await Deno.writeTextFile(file, JSON.stringify(config));
    const flags = ["-N", "-R", "-W", "-E", "-S", "--allow-run"];
    const v8 = "--v8-flags=--no-allocation-site-pretenuring";
    const argv = [Deno.execPath(), "run", "--no-prompt", "--quiet", "--no-check", v8, ...flags];
    return {
      label: `Twixt, forward = "${forward}"`,
      address: `${BALANCER}:${port}`,
      argv: [...argv, MAIN, "-c", file],
    };
  };
  const file = `${folder}/haproxy.conf`;
  await Deno.writeTextFile(file, haproxyText(82));
  return [
    { label: "direct", address: BACKEND },
    await twixt("kernel", 80),
    { label: "HAProxy", address: `${BALANCER}:82`, argv: [find("haproxy")!, "-db", "-f", file] },
    await twixt("user", 81),
  ];
}

function haproxyText(port: number): string {
  return `global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind ${BALANCER}:${port} backlog 4096
  server backend ${BACKEND}
`;
}

async function startEntrant(networks: Networks, entrant: Entrant): Promise<AsyncDisposable> {
  const { argv, address } = entrant;
  if (argv === undefined) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  return await Daemon.start(inside(networks, "balancer", argv), () => answers(networks, address));
}

async function startBackend(networks: Networks, folder: string): Promise<Daemon> {
  const file = `${folder}/nginx.conf`;
  await Deno.writeTextFile(
    file,
    `daemon off;
worker_processes 1;
user root;
pid ${folder}/nginx.pid;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  server {
    listen ${PORT} backlog=4096;
    location / { return 200 "a small answer\\n"; }
  }
}
`,
  );
  const argv = [find("nginx")!, "-p", folder, "-c", file, "-e", "stderr"];
  return await Daemon.start(inside(networks, "b1", argv), () => answers(networks, BACKEND));
}

function inside(networks: Networks, role: string, argv: readonly string[]) {
  return { argv: [find("ip")!, "netns", "exec", networks.name(role), ...argv] };
}

async function answers(networks: Networks, address: string): Promise<boolean> {
  return await networks.in("client", "curl", "-sS", "-m1", `http://${address}/`)
    .then(() => true, () => false);
}

if (import.meta.main) Deno.exit(await main());
