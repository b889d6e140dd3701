/** Checks of hundreds of backends at once whose targets misbehave: clients don't feel it, and states are right. */
import assert from "node:assert/strict";
import { greeter, until } from "../support/backends.ts";
import {
  type Behaviour,
  type CheckTarget,
  ProgramTarget,
  SPOKEN,
  TcpTarget,
  UdpTarget,
} from "../support/check_targets.ts";
import { pause } from "../support/clients.ts";
import { shell } from "../support/process.ts";
import { staticServer } from "../support/static_server.ts";
import { TimedClients } from "../support/timed_clients.ts";
import { Twixt } from "../support/twixt.ts";

const BACKENDS = 500;
const ANYTHING = /./;

type Tested = {
  readonly make: () => CheckTarget;
  /** What the last check has seen, by how the target behaves. */
  readonly seen: Readonly<Record<Behaviour, RegExp>>;
  /** It passes all the same. */
  readonly passes?: readonly Behaviour[];
  readonly timeoutMs?: number;
  readonly count?: number;
};

/** What most say. */
const USUAL = {
  good: ANYTHING,
  down: /^connection refused$/,
  hang: /^timed out$|^no answer in time$/,
  garbage: ANYTHING,
  flood: ANYTHING,
};

const TESTED: Readonly<Record<string, Tested>> = {
  ping: {
    make: () => new TcpTarget(SPOKEN["ping"]!),
    seen: { ...USUAL, hang: /^connected$/, garbage: /^connected$/, flood: /^connected$/ },
    passes: ["hang", "garbage", "flood"],
  },
  "probe by TCP": { make: () => new TcpTarget(SPOKEN["probe by TCP"]!), seen: USUAL },
  "probe by UDP": { make: () => new UdpTarget(), seen: { ...USUAL, down: /^no answer in time$/ } },
  http: {
    make: () => new TcpTarget(SPOKEN["http"]!),
    seen: { ...USUAL, good: /^status 200$/, flood: /the body doesn't contain "fine"$/ },
    timeoutMs: 2_000,
  },
  agent: {
    make: () => new TcpTarget(SPOKEN["agent"]!),
    seen: {
      ...USUAL,
      good: /^"up"$/,
      garbage: /^no word of an agent in |no end|unknown/,
      flood: /^the agent's line has no end$/,
    },
  },
  exec: {
    make: () => new ProgramTarget(),
    seen: {
      good: /^it said "fine"$/,
      down: /SIGSEGV/,
      hang: /was killed: it took too long$/,
      garbage: /^exit code 3: "nobody"$/,
      flood: /it said more than 1048576 bytes/,
    },
    count: 150, // each costs some milliseconds, and five rounds are made
    timeoutMs: 2_000, // a busy machine may take long to start a program
  },
};

for (
  const [check, { make, seen, passes = [], timeoutMs = 300, count = BACKENDS }] of Object.entries(
    TESTED,
  )
) {
  Deno.test(
    `${check}: targets of ${count} backends may do what they like, clients are served at once`,
    { timeout: 120_000 },
    async () => {
      await using backend = greeter("127.");
      await using target = make();
      await target.become("good");
      const addresses = Array.from(
        { length: count },
        (_, i) => `127.1.${i >> 8}.${i & 255}:${target.port}`,
      );
      const healthcheck = { ...target.keys, interval: "400ms", timeout: `${timeoutMs}ms` };
      await using twixt = await Twixt.start({
        config: {
          workers: 1,
          api: { enabled: true, bind: "127.0.0.1:0" },
          servers: {
            steady: staticServer([backend]),
            web: staticServer(addresses, { healthcheck }),
          },
        },
      });
      await using clients = new TimedClients(twixt, ["steady"]);
      await using api = new TimedClients(twixt, [], async () => {
        await (await twixt.api("/ping")).body?.cancel();
        await pause(50);
      });
      const memory = await twixt.resident();
      /** Waits until the API shows all backends as they should be. */
      const shows = async (behaviour: Behaviour) => {
        const live = behaviour === "good" || passes.includes(behaviour);
        let example: unknown;
        const right = async () => {
          const { backends } = await twixt.stats("web");
          assert.equal(backends.length, count);
          // deno-lint-ignore no-explicit-any
          example = backends.find(({ stats }: any) =>
            stats.live !== live || !seen[behaviour].test(stats.last_check ?? "")
          )?.stats;
          return example === undefined;
        };
        await until(right, 40_000, `${behaviour} in all`).catch((error) => {
          throw new Error(`${error.message}; one is ${JSON.stringify(example)}`);
        });
      };
      await shows("good");
      for (const behaviour of ["down", "hang", "garbage", "flood"] as const) {
        await target.become(behaviour);
        await shows(behaviour);
      }
      for (let flap = 0; flap < 4; flap++) {
        await target.become(flap % 2 === 0 ? "good" : "down");
        await pause(250);
      }
      await target.become("good");
      await shows("good");
      await clients.assertServed(`${check}, ${count} backends`);
      await api.assertServed("its API", 5_000);
      const grown = (await twixt.resident() - memory) / 1024 / 1024;
      console.log(`memory + ${grown.toFixed()} MiB`);
      assert(grown < 700, `memory has grown by ${grown} MiB`);
      if (!(target instanceof ProgramTarget)) return;
      twixt.signal("SIGTERM");
      assert.equal(await twixt.ended(), 0);
      const left = () => shell(`ps -eo args= | grep -F "${target.mark}" | grep -v grep || true`);
      await until(async () => await left() === "", 5_000, "the end of its programs");
    },
  );
}
