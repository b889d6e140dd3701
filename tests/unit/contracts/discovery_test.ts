/** What every discovery must keep that can be asked without anybody else's program. */
import assert from "node:assert/strict";
import { discoveries } from "../../../discovery/registry.ts";
import { runProgram } from "../../../lib/host/program.ts";
import type { DiscoveryKind } from "../../../lib/kinds.ts";
import type { DiscoverySpec, PoolTable } from "../../../lib/model.ts";
import { Names } from "../../../lib/net/names.ts";
import { Pool } from "../../../lib/pool.ts";
import { Registry } from "../../../lib/registry.ts";
import { CheckPlaces } from "../../../lib/check_places.ts";
import { Slots } from "../../../lib/stats/slots.ts";
import { until } from "../../support/backends.ts";
import { ManualClock } from "../../support/clock.ts";
import {
  FileSource,
  jsonOf,
  type LocalSource,
  LxdSource,
  pageSource,
  ProgramSource,
} from "../../support/local_sources.ts";
import { MemoryLog } from "../../support/log.ts";
import { counters } from "../../support/members.ts";

type Case = "hang" | "100,000 rows";

/** A kind's source, and what it can't meet, with the reason. */
type Tested = {
  readonly make: () => LocalSource;
  readonly not?: { readonly [name in Case]?: string };
};

const LINES = (rows: readonly string[]) => rows.join("\n");

const TESTED: Readonly<Record<string, Tested>> = {
  exec: {
    make: () => new ProgramSource(),
    not: { "100,000 rows": "a program that says more than 1 MiB is killed, which is a failure" },
  },
  plaintext: { make: () => pageSource("plaintext_endpoint", LINES) },
  json: { make: () => pageSource("json_endpoint", jsonOf) },
  lxd: { make: () => new LxdSource() },
  file: {
    make: () => new FileSource(),
    not: { hang: "only a dead network disk does that, and none is at hand" },
  },
};

/** Kinds that aren't here, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  static: "its list stands in the configuration: nothing can fail",
  srv: "tests/e2e/discovery_test.ts asks a small DNS server, tests/real/ real ones",
  dns: "tests/e2e/discovery_test.ts asks a small DNS server, tests/real/ real ones",
  docker: "tests/e2e/discovery_test.ts asks a small web server, tests/real/ a real daemon",
  consul: "tests/e2e/discovery_test.ts asks a small web server, tests/real/ a real agent",
  kubernetes: "tests/e2e/discovery_test.ts asks a small web server with recorded answers",
};

const ONE = "10.0.0.1:80";
const TWO = "10.0.0.2:80";

/** A pool with one discovery, whose clock passes while the test waits. */
function poolOf(kind: DiscoveryKind, source: LocalSource, more: Partial<DiscoverySpec> = {}) {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const cells = counters(1, 1);
  const slots = new Slots(cells);
  const tables: PoolTable[] = [];
  let answers = 0;
  const counted: DiscoveryKind = {
    ...kind,
    find: async (...asked) => {
      const list = await kind.find(...asked);
      answers++;
      return list;
    },
    ...kind.watch && {
      async *watch(...asked) {
        for await (const list of kind.watch!(...asked)) {
          answers++;
          yield list;
        }
      },
    },
  };
  const spec: DiscoverySpec = {
    ...{ kind: kind.name, options: source.options, intervalMs: 1_000, timeoutMs: 20_000 },
    failpolicy: "keeplast",
    ...more,
  };
  const names = new Names({
    ...{ clock, random: () => 0, onFailures: () => {} },
    lookup: () => Promise.reject(new Error("only addresses are used")),
  });
  const pool = new Pool({ name: "p", strategy: "weight", discoveries: [spec] }, slots.take()!, {
    discoveries: new Registry("discovery", [counted]),
    checks: new Registry("healthcheck", []),
    checkPlaces: new CheckPlaces(4),
    ...{ counters: cells, slots, names, clock, log, random: () => 0, run: runProgram },
    wallTime: () => clock.now(),
    onTable: (table) => tables.push(table),
    onLeave: () => {},
  });
  const reach = (holds: () => boolean, what: string) =>
    until(async () => (await clock.advance(1_000), holds()), 20_000, what);
  const now = () => tables.at(-1)!.members.map(({ host, port }) => `${host}:${port}`).join();
  return {
    ...{ log, tables, reach, now },
    /** Waits until the table has just these. */
    lists: (...rows: string[]) =>
      reach(() => now() === rows.join(), `${rows} (now ${now().slice(0, 200)}, ${log.lines})`),
    errors: () => log.lines.filter((line) => line.startsWith("error discovery failed pool=p")),
    warnings: () => log.lines.filter((line) => line.startsWith("warning")),
    /** Waits for that many answers more. */
    answered: (more: number) => {
      const wanted = answers + more;
      return reach(() => answers >= wanted, "more answers");
    },
    failed: (count: number) => reach(() => errorsOf(log) >= count, `failure ${count}`),
    async [Symbol.asyncDispose]() {
      pool.stop(1);
      await new Promise((resolve) => setTimeout(resolve, 50)); // what runs is killed, what is open is closed
    },
  };
}

function errorsOf(log: MemoryLog): number {
  return log.lines.filter((line) => line.startsWith("error discovery")).length;
}

function contract(kind: DiscoveryKind, { make, not = {} }: Tested): void {
  const test = (name: string, body: (source: LocalSource) => Promise<void>) =>
    Deno.test(`${kind.name}: ${name}`, async () => {
      await using source = make();
      await body(source);
    });

  test("lists what there is; the same again makes no new table", async (source) => {
    await source.say([ONE, TWO]);
    await using pool = poolOf(kind, source);
    await pool.lists(ONE, TWO);
    const { length } = pool.tables;
    await source.say([ONE, TWO]);
    await pool.answered(1);
    await source.say([TWO, ONE]);
    await pool.answered(1);
    assert.equal(
      new Set(pool.tables.slice(length - 1).map(({ members }) => members.length)).size,
      1,
    );
    await source.say([TWO]);
    await pool.lists(TWO);
    assert.deepEqual([...pool.errors(), ...pool.warnings()], []);
  });

  test("a source that is down at the start fails once in the log, and is used when it is up", async (source) => {
    await source.fall();
    await using pool = poolOf(kind, source);
    await pool.failed(1);
    assert.equal(pool.now(), "");
    await source.say([ONE]);
    await pool.lists(ONE);
    assert.equal(pool.errors().length, 1);
  });

  for (const failpolicy of ["keeplast", "setempty"] as const) {
    test(
      `a source that goes leaves with ${failpolicy} ${
        failpolicy === "keeplast" ? "its last list" : "nobody"
      }`,
      async (source) => {
        await source.say([ONE]);
        await using pool = poolOf(kind, source, { failpolicy });
        await pool.lists(ONE);
        await source.fall();
        await pool.failed(1);
        for (let i = 0; i < 20; i++) await pool.reach(() => true, "time"); // it is asked in vain
        assert.equal(pool.now(), failpolicy === "keeplast" ? ONE : "");
        assert.equal(pool.errors().length, 1, String(pool.log.lines));
        await source.say([TWO]);
        await pool.lists(TWO);
      },
    );
  }

  test("an empty list is an answer, also with keeplast", async (source) => {
    await source.say([ONE]);
    await using pool = poolOf(kind, source);
    await pool.lists(ONE);
    await source.say([]);
    await pool.lists();
    assert.deepEqual(pool.errors(), []);
    assert.match(pool.warnings().join("\n"), /^warning discovery lists no backends .* before=1$/);
  });

  test("garbage is a failure that keeps the last list; another failure is another line", async (source) => {
    await source.say([ONE]);
    await using pool = poolOf(kind, source);
    await pool.lists(ONE);
    await source.utter("<html>\n<body>\x00\x1b[31mnobody is here\n");
    await pool.failed(1);
    await source.fall();
    await pool.failed(2);
    for (let i = 0; i < 5; i++) await pool.reach(() => true, "time");
    assert.equal(pool.errors().length, 2, String(pool.log.lines));
    assert.equal(pool.now(), ONE);
    assert(!pool.log.lines.join().includes("\x1b"));
  });

  test("a bad row is skipped with its reason, told once, and the others are used", async (source) => {
    await source.say([ONE, "10.0.0.9:99999", TWO]);
    await using pool = poolOf(kind, source);
    await pool.lists(ONE, TWO);
    await source.say([ONE, "10.0.0.9:99999", TWO]);
    await pool.answered(1);
    assert.equal(pool.warnings().length, 1, String(pool.log.lines));
    assert.match(pool.warnings()[0]!, /^warning discovered backends were skipped pool=p count=1 /);
    assert.match(pool.warnings()[0]!, /port/);
  });

  test("a source that comes and goes is told of each time, and ends as it should", async (source) => {
    await source.say([ONE]);
    await using pool = poolOf(kind, source);
    for (let round = 1; round <= 3; round++) {
      await source.say([round % 2 === 0 ? ONE : TWO]);
      await pool.lists(round % 2 === 0 ? ONE : TWO);
      await source.fall();
      await pool.failed(round);
    }
    assert.equal(pool.errors().length, 3, String(pool.log.lines));
  });

  if (not.hang === undefined) {
    test("a source that hangs is a failure after the timeout, and is asked again", async (source) => {
      await source.say([ONE]);
      await using pool = poolOf(kind, source, { timeoutMs: 300 });
      await pool.lists(ONE);
      await source.hang!();
      await pool.failed(1);
      assert.match(pool.errors()[0]!, /why=no answer within 300 ms backends=1$/);
      assert.equal(pool.now(), ONE);
      await source.say([TWO]);
      await pool.lists(TWO);
    });
  }

  test("of 100,000 rows 10,000 are taken, or none with an error", async (source) => {
    const rows = Array.from(
      { length: 100_000 },
      (_, i) => `10.0.${i >> 8 & 255}.${i & 255}:${1 + (i >> 16)}`,
    );
    await source.say(rows);
    await using pool = poolOf(kind, source);
    if (not["100,000 rows"] !== undefined) {
      await pool.failed(1);
      assert.equal(pool.now(), "");
    } else {
      await pool.reach(() => pool.tables.at(-1)!.members.length === 10_000, "10,000 backends");
      assert.match(pool.warnings()[0]!, /count=90000 .*a source may name 10000 backends/);
    }
    await source.say([TWO]);
    await pool.lists(TWO);
  });
}

for (const kind of discoveries.all()) {
  const tested = TESTED[kind.name];
  if (tested !== undefined) contract(kind, tested);
}

Deno.test("every discovery is tested here, or it says where it is", () => {
  const missing = discoveries.names().filter((name) =>
    !Object.hasOwn(TESTED, name) && !Object.hasOwn(ELSEWHERE, name)
  );
  assert.deepEqual(missing, []);
});

Deno.test.each(discoveries.all())("$name has a summary and describes its keys", (kind) => {
  assert.match(kind.summary, /^[A-Z].*\.$/);
  for (const [key, schema] of Object.entries(kind.shape)) {
    assert.match(descriptionOf(schema), /^[A-Z].*\.$/, key);
  }
});

/** What a key says about itself, or inside what makes it optional. */
function descriptionOf(schema: unknown): string {
  const { description, unwrap } = schema as { description?: string; unwrap?(): unknown };
  if (description !== undefined) return description;
  return unwrap === undefined ? "" : descriptionOf(unwrap.call(schema));
}
