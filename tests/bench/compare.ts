/**
 * `deno task bench`: starts HAProxy, nginx, gobetween, a bare relay loop and Twixt in front of the same backends, and
 * says what each of them costs. Nothing leaves loopback, and everything that it starts ends with it.
 *
 * @module
 */
import { certificate } from "../support/certificates.ts";
import { find } from "../support/real.ts";
import type { Arena, Entrant } from "./arena.ts";
import { Backend } from "./backend.ts";
import { drawChart } from "./chart.ts";
import { datagramSeconds, measureDatagrams } from "./datagrams.ts";
import { electionSeconds, measureElections } from "./election.ts";
import { idleEffectSeconds, measureIdleEffect } from "./idle_effect.ts";
import { idleMemorySeconds, measureIdleMemory } from "./idle_memory.ts";
import { machine } from "./kernel.ts";
import { loadSeconds, measureLoads } from "./loads.ts";
import { type BenchOptions, HELP, parseOptions } from "./options.ts";
import { Progress } from "./progress.ts";
import { proxies, versionOf } from "./proxies.ts";
import type { ElectionResult, Results } from "./results.ts";
import { measureStart, startSeconds } from "./start_time.ts";
import { report } from "./table.ts";
import { SCRIPT } from "./wrk.ts";

/** A run with 5 rounds of 1 s stays below this; more and longer rounds may take more. */
const LIMIT_SECONDS = 290;

/** Runs it as the command line says. Returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`error: ${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const interrupted = Promise.withResolvers<number>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupted.resolve(130));
  }
  await using stack = new AsyncDisposableStack();
  return await Promise.race([run(options, stack), interrupted.promise]);
}

/** What it opens it leaves to the stack, so that an interrupted run ends it as well. */
async function run(
  options: BenchOptions,
  stack: AsyncDisposableStack,
): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "twixt-bench-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const nginx = find("nginx");
  const wrk = find("wrk");
  if (nginx === undefined) {
    console.error(
      "error: there are no backends without nginx\n       apt-get install -y nginx",
    );
    return 1;
  }
  const chosen = proxies.filter(({ id }) => options.only.length === 0 || options.only.includes(id));
  const entrants = await Promise.all(
    chosen.filter(({ program }) => program !== undefined).map(entrantOf),
  );
  const missing = chosen.filter(({ program }) => program === undefined)
    .map(({ label, install }) => `${label} (${install})`);
  if (wrk === undefined) {
    missing.push(
      "wrk, so nothing is measured under load (apt-get install -y wrk)",
    );
  }
  for (const what of missing) console.error(`missing: ${what}`);
  const results: Results = {
    at: new Date().toISOString(),
    machine: await machine(),
    rounds: options.rounds,
    missing,
    notes: [],
    proxies: entrants.map(({ result }) => result),
    elections: [],
  };
  const wrkScript = `${folder}/report.lua`;
  await Deno.writeTextFile(wrkScript, SCRIPT);
  const elections = await measureAll({
    entrants,
    backend: stack.use(await Backend.start(nginx, folder)),
    wrk,
    wrkScript,
    folder,
    certificate: find("openssl") === undefined ? undefined : await certificate(folder),
    rounds: options.rounds,
    progress: progressOf(options, entrants, wrk !== undefined),
    note: (text) => results.notes.push(text),
  }, options);
  await write({ ...results, elections }, options);
  return 0;
}

async function measureAll(
  arena: Arena,
  { seconds }: BenchOptions,
): Promise<ElectionResult[]> {
  const { progress, wrk, entrants } = arena;
  // with two workers everything at rest is the same
  const single = {
    ...arena,
    entrants: entrants.filter(({ proxy }) => !proxy.twoWorkers),
  };
  // one that fails says so, and the rest goes on
  const attempt = (what: string, measure: () => Promise<void>) =>
    measure().catch((error) => arena.note(`${what}: ${error.message}`));
  await attempt("start to listening", () => measureStart(single));
  await attempt("memory of idle connections", () => measureIdleMemory(single));
  await attempt("datagrams", () => measureDatagrams(single));
  progress.step("choosing a backend", "all strategies", electionSeconds);
  const elections = measureElections();
  if (wrk !== undefined) {
    await attempt(
      "idle connections beside active ones",
      () => measureIdleEffect(single),
    );
    await attempt("loads", () => measureLoads(arena, seconds));
  }
  progress.end();
  return elections;
}

function progressOf(
  { rounds, seconds }: BenchOptions,
  entrants: readonly Entrant[],
  underLoad: boolean,
): Progress {
  const single = entrants.filter(({ proxy }) => !proxy.twoWorkers);
  const atRest = startSeconds(single.length, rounds) +
    idleMemorySeconds(single.length, rounds) +
    datagramSeconds(single.map(({ proxy }) => proxy), rounds) +
    electionSeconds;
  const loads = loadSeconds(entrants.map(({ proxy }) => proxy), rounds, seconds) +
    idleEffectSeconds(single.map(({ proxy }) => proxy.id), rounds);
  const planned = atRest + (underLoad ? loads : 0);
  const asked = rounds > 5 || seconds > 1;
  return new Progress(planned, asked ? planned * 1.5 : LIMIT_SECONDS);
}

async function entrantOf(proxy: typeof proxies[number]): Promise<Entrant> {
  return {
    proxy,
    result: {
      id: proxy.id,
      label: proxy.label,
      version: await versionOf(proxy),
      loads: {
        ...{ keepalive: [], short: [], bulk: [] },
        ...{ tls_keepalive: [], tls_short: [], tls_bulk: [] },
      },
      idleBytes: [],
      active: { alone: [], besideIdle: [] },
      datagrams: [],
      startMs: [],
    },
  };
}

async function write(
  results: Results,
  { json, chart }: BenchOptions,
): Promise<void> {
  console.log(report(results));
  if (json !== undefined) {
    await Deno.writeTextFile(
      json,
      JSON.stringify(results, undefined, 2) + "\n",
    );
  }
  if (chart !== undefined) {
    await Deno.writeTextFile(chart, await drawChart(results));
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
