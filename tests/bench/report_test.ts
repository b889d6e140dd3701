import assert from "node:assert/strict";
import { chartSpec } from "./chart.ts";
import { usedBetween } from "./kernel.ts";
import { parseOptions } from "./options.ts";
import type { ProxyResult, Results, Sample } from "./results.ts";
import { markdown, report } from "./table.ts";
import { judge } from "./targets.ts";
import { parseReport } from "./wrk.ts";

/** Rounds in which a request, a connection, a GB took these many microseconds or seconds. */
function proxy(
  id: string,
  requestUs: number[],
  shortUs: number[],
  bulkSeconds: number[],
) {
  const sample = (cpuSeconds: number, requests: number): Sample => ({
    requests,
    bytes: 1e9,
    seconds: 1,
    errors: 0,
    p50Us: 500,
    p99Us: 2_000,
    cpuSeconds,
    threadSeconds: [cpuSeconds * 0.6, cpuSeconds * 0.4],
  });
  const result: ProxyResult = {
    id,
    label: id,
    version: "1.2.3",
    loads: {
      keepalive: requestUs.map((us) => sample(us * 1_000 / 1e6, 1_000)),
      short: shortUs.map((us) => sample(us * 1_000 / 1e6, 1_000)),
      bulk: bulkSeconds.map((seconds) => sample(seconds, 100)),
      tls_keepalive: requestUs.map((us) => sample(us * 2_000 / 1e6, 1_000)),
      tls_short: shortUs.map((us) => sample(us * 5_000 / 1e6, 1_000)),
      tls_bulk: bulkSeconds.map((seconds) => sample(seconds * 2, 100)),
    },
    idleBytes: [10_240],
    active: { alone: [10, 10], besideIdle: [10, 11] },
    startMs: [200],
    datagrams: requestUs.map((us) => ({
      ...{ trips: 500, lost: 0, seconds: 1 },
      cpuSeconds: us * 1_000 / 1e6,
    })),
  };
  return result;
}

const RESULTS: Results = {
  at: "2026-11-21T12:00:00Z",
  machine: "Linux",
  rounds: 2,
  missing: ["gobetween (GOBETWEEN_BIN)"],
  notes: [],
  proxies: [
    proxy("haproxy", [5, 10], [50, 50], [0.5, 0.5]),
    proxy("bare", [8, 16], [80, 80], [0.25, 0.25]),
    proxy("twixt", [8, 16], [100, 100], [0.25, 0.25]),
    proxy("twixt2", [8, 16], [100, 100], [0.25, 0.25]),
  ],
  elections: [
    { strategy: "p2c", ofTwoNs: 100, ofThousandNs: 2_500 },
    { strategy: "leastconn", ofTwoNs: 100, ofThousandNs: 2_500 },
  ],
};

Deno.test("judge() holds each figure against its limit, in the units of the limit", () => {
  const judged = judge(RESULTS).map(({ what, of, is, met }) => `${of}: ${what}: ${is}: ${met}`);
  assert.deepEqual(judged, [
    "twixt: CPU per request: 1.00 (1.00..1.00): yes",
    "twixt: CPU per short connection: 1.25 (1.25..1.25): no",
    "twixt: CPU per GB: 1.00 (1.00..1.00): yes",
    "twixt: memory per idle connection: 1.00 (1.00..1.00): yes",
    "twixt: CPU per request by TLS: 1.00 (1.00..1.00): yes",
    "twixt: CPU per full handshake: 2.00 (2.00..2.00): no",
    "twixt: CPU per GB by TLS: 0.50 (0.50..0.50): yes",
    "twixt: CPU per datagram: 1.00 (1.00..1.00): yes",
    "twixt: CPU per request beside 5,000 idle connections: 1.05 (1.00..1.10): yes",
    "twixt: listening after its start: 200 (200..200) ms: yes",
    "p2c: choice among 1,000 backends: 2.5 %: no",
    "leastconn: choice among 1,000 backends: 2.5 %: yes",
    "twixt2: two workers share the load: the second has 40.0 %: yes",
  ]);
});

Deno.test("judge() says unclear where the median misses the limit and a round meets it", () => {
  const proxies = [
    proxy("bare", [10, 10, 10], [], []),
    proxy("twixt", [10, 11, 11], [], []),
  ];
  assert.equal(judge({ proxies, elections: [] })[0]?.met, "unclear");
});

Deno.test("report() gives each proxy's cost, and how many times HAProxy's and the bare loop's it is", () => {
  const text = report(RESULTS);
  const line = "twixt    1000 0.500 2.00 12.0 (8.00..16.0) 1.60 (1.60..1.60) 1.00 (1.00..1.00)";
  assert(
    text.replaceAll("|", " ").replace(/ +/g, " ").includes(
      line.replace(/ +/g, " "),
    ),
    text,
  );
  assert(text.includes("Missing: gobetween (GOBETWEEN_BIN)"), text);
});

Deno.test("report() and chartSpec() leave out what wasn't measured", () => {
  const empty: ProxyResult = {
    ...proxy("twixt", [], [], []),
    idleBytes: [],
    startMs: [],
    active: { alone: [], besideIdle: [] },
  };
  const results = { ...RESULTS, proxies: [empty], elections: [] };
  assert.doesNotMatch(report(results), /###/);
  assert.deepEqual(judge(results), []);
  assert.deepEqual((chartSpec(results) as { concat?: unknown }).concat, []);
});

Deno.test("markdown() makes columns as wide as their widest cell", () => {
  assert.equal(
    markdown(["a", "long"], [["longer", "b"]]),
    "| a      | long |\n| ------ | ---- |\n| longer | b    |",
  );
});

Deno.test("parseReport() finds the line of the script in wrk's output", () => {
  const line = '{"requests":7,"bytes":10,"us":1000,"p50":1,"p99":2,"errors":0}';
  const report = parseReport(
    `Running 1s test\n  1 threads\n\nREPORT ${line}\n`,
  );
  assert.deepEqual(report, {
    requests: 7,
    bytes: 10,
    us: 1000,
    p50: 1,
    p99: 2,
    errors: 0,
  });
  assert.throws(
    () => parseReport("unable to connect"),
    /nothing that can be used:\nunable to/,
  );
});

Deno.test("usedBetween() counts new threads from zero and leaves out idle ones", () => {
  const before = new Map([["1/1", 5], ["1/2", 3], ["1/3", 1]]);
  const after = new Map([["1/1", 5], ["1/2", 4], ["1/4", 2]]);
  assert.deepEqual(usedBetween(before, after), [2, 1]);
});

Deno.test("parseOptions() takes rounds and seconds and says what is wrong with them", () => {
  assert.deepEqual(
    { ...parseOptions(["--rounds", "7", "--only", "bare,twixt"]) },
    {
      rounds: 7,
      seconds: 1,
      only: ["bare", "twixt"],
      json: undefined,
      chart: undefined,
      help: false,
    },
  );
  assert.throws(
    () => parseOptions(["--rounds", "0"]),
    /--rounds: "0" is not a number from 1/,
  );
  assert.throws(() => parseOptions(["--round", "1"]), /--round/);
});
