/** Who wins when the API and the base change the same thing: each row after reloads, and after restarts instead. */
import assert from "node:assert/strict";
import type { Conflict } from "../../../lib/conflicts.ts";
import type { Overlay } from "../../../lib/overlay.ts";
import { backendKey } from "../../../lib/model.ts";
import { configured, serverOf } from "../../support/configured.ts";

type Balancer = Awaited<ReturnType<typeof configured>>;
type Sections = Record<string, unknown>;
/** What people write, and what the discovery `list` finds. */
type Base = { servers?: Sections; pools?: Sections; rows?: string[] };
type Row = {
  readonly name: string;
  readonly base: Base;
  /** What operators do. */
  change(balancer: Balancer): Promise<unknown>;
  /** What the base becomes then, one after the other. */
  readonly then: readonly Base[];
  /** The bind of each server beside `other`. */
  readonly servers?: Record<string, string>;
  /** Weight and drain of each backend, by pool. */
  readonly backends?: Record<string, string>;
  /** `AT: overlay, base, before`, as JSON. */
  readonly conflicts?: readonly string[];
  /** Lines that the log has of conflicts after the reloads. */
  readonly told?: number;
};

const A = "127.0.0.1:7001";
const [ONE, TWO, THREE] = ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"] as const;
const on = (bind: string, more: Sections = {}) => ({ bind, pool: "app", ...more });
const APP = { app: { discovery: { kind: "static", static_list: [] } } };
const weighing = (line: string) => ({ web: serverOf([line]) });
const listed = { web: { bind: ONE, discovery: { kind: "list", interval: "20ms" } } };
const shared = { app: { discovery: { kind: "static", static_list: [A] } } };
const replace = async ({ configuration }: Balancer, section: Sections) => {
  await configuration.removeServer("web");
  await configuration.addServer("web", section);
};

const ROWS: readonly Row[] = [
  {
    name: "a server added by the API stays while the file has nothing of the name",
    base: {},
    change: ({ configuration }) => configuration.addServer("new", on(TWO)),
    then: [{}],
    servers: { new: TWO },
  },
  {
    name: "a server added by the API, and then by the file with another bind",
    base: {},
    change: ({ configuration }) => configuration.addServer("new", on(TWO)),
    then: [{ servers: { new: on(THREE) } }],
    servers: { new: TWO },
    conflicts: [`servers/new/bind: "${TWO}", "${THREE}", null`],
  },
  {
    name: "a server added by the API, and then by the file in the same words",
    base: {},
    change: ({ configuration }) => configuration.addServer("new", on(TWO)),
    then: [{ servers: { new: { Pool: "app", Bind: TWO } } }],
    servers: { new: TWO },
  },
  {
    name: "a server of the file removed by the API, and then changed in the file",
    base: { servers: { web: on(ONE) } },
    change: ({ configuration }) => configuration.removeServer("web"),
    then: [{ servers: { web: on(TWO) } }],
    conflicts: [
      `servers/web: null, {"bind":"${TWO}","pool":"app"}, {"bind":"${ONE}","pool":"app"}`,
    ],
  },
  {
    name: "a server of the file removed by the API, and then by the file",
    base: { servers: { web: on(ONE) } },
    change: ({ configuration }) => configuration.removeServer("web"),
    then: [{}],
  },
  {
    name: "a server removed by both stays removed when the file has it again",
    base: { servers: { web: on(ONE) } },
    change: ({ configuration }) => configuration.removeServer("web"),
    then: [{}, { servers: { web: on(ONE) } }],
  },
  {
    name: "a server replaced by the API, while the file changes its bind",
    base: { servers: { web: on(ONE) } },
    change: (balancer) => replace(balancer, on(TWO)),
    then: [{ servers: { web: on(THREE) } }],
    servers: { web: TWO },
    conflicts: [`servers/web/bind: "${TWO}", "${THREE}", "${ONE}"`],
  },
  {
    name: "a server replaced by the API, while the file changes a key that this left as it was",
    base: { servers: { web: on(ONE) } },
    change: (balancer) => replace(balancer, on(TWO)),
    then: [{ servers: { web: on(ONE, { max_connections: 5 }) } }],
    servers: { web: TWO },
    conflicts: [`servers/web/max_connections: null, 5, null`],
  },
  {
    name: "a server replaced by the API, and then removed from the file",
    base: { servers: { web: on(ONE) } },
    change: (balancer) => replace(balancer, on(TWO)),
    then: [{}],
    servers: { web: TWO },
    conflicts: [
      `servers/web: {"bind":"${TWO}","pool":"app"}, null, {"bind":"${ONE}","pool":"app"}`,
    ],
  },
  {
    name: "a weight changed by the API, and then in the file",
    base: { servers: weighing(A) },
    change: ({ configuration }) => configuration.changeBackend("web", A, { weight: 5 }),
    then: [{ servers: weighing(`${A} weight=3`) }],
    servers: { web: ONE },
    backends: { [`web ${A}`]: "5" },
    conflicts: [`pools/web/backends/${A}/weight: 5, 3, 1`],
  },
  {
    name: "a weight changed by the API, and then to the same in the file",
    base: { servers: weighing(A) },
    change: ({ configuration }) => configuration.changeBackend("web", A, { weight: 5 }),
    then: [{ servers: weighing(`${A} weight=5`) }],
    servers: { web: ONE },
    backends: { [`web ${A}`]: "5" },
  },
  {
    name: "a weight changed by the API, and then there and back in the file",
    base: { servers: weighing(A) },
    change: ({ configuration }) => configuration.changeBackend("web", A, { weight: 5 }),
    then: [{ servers: weighing(`${A} weight=3`) }, { servers: weighing(A) }],
    servers: { web: ONE },
    backends: { [`web ${A}`]: "5" },
    told: 1,
  },
  {
    name: "a weight changed by the API once more ends the conflict",
    base: { servers: weighing(A) },
    async change({ configuration, state }) {
      await configuration.changeBackend("web", A, { weight: 5 });
      state.base = { ...state.base, ...weighing(`${A} weight=3`) };
      await configuration.reload();
      assert.equal(configuration.conflicts().length, 1);
      await configuration.changeBackend("web", A, { weight: 6 });
    },
    then: [{ servers: weighing(`${A} weight=3`) }],
    servers: { web: ONE },
    backends: { [`web ${A}`]: "6" },
    told: 1,
  },
  {
    name: "a weight changed by the API, and then by the discovery",
    base: { servers: listed, rows: [A] },
    change: ({ configuration }) => configuration.changeBackend("web", A, { weight: 5 }),
    then: [{ servers: listed, rows: [`${A} weight=3`] }],
    servers: { web: ONE },
    backends: { [`web ${A}`]: "5" },
    conflicts: [`pools/web/backends/${A}/weight: 5, 3, 1`],
  },
  {
    name: "a drain and a weight of a backend that the discovery loses and finds again",
    base: { servers: listed, rows: [A] },
    change: ({ configuration }) =>
      configuration.changeBackend("web", A, { drain: true, weight: 5 }),
    then: [{ servers: listed, rows: [] }, { servers: listed, rows: [`${A} weight=3`] }],
    servers: { web: ONE },
    backends: { [`web ${A}`]: "5 draining" },
    conflicts: [`pools/web/backends/${A}/weight: 5, 3, 1`],
  },
  {
    name: "a drain whose end has passed stays a drain",
    base: { servers: weighing(A) },
    change: ({ configuration }) => configuration.changeBackend("web", A, { drain: 0 }),
    then: [{ servers: weighing(A) }],
    servers: { web: ONE },
    backends: { [`web ${A}`]: "1 draining" },
  },
  {
    name: "a drain and a weight in a pool that disappears and returns",
    base: { servers: { web: on(ONE) }, pools: shared },
    change: ({ configuration }) =>
      configuration.changeBackend("app", A, { drain: true, weight: 5 }),
    then: [{ pools: {} }, { servers: { web: on(ONE) }, pools: shared }],
    servers: { web: ONE },
    backends: { [`app ${A}`]: "5 draining" },
  },
  {
    name: "a server removed by the API takes the changes of its own backends with it",
    base: { servers: weighing(A) },
    async change({ configuration, state }) {
      await configuration.changeBackend("web", A, { drain: true, weight: 5 });
      await configuration.removeServer("web");
      assert.deepEqual(state.kept.backends, {});
    },
    then: [{ servers: weighing(`${A} weight=3`) }],
    conflicts: [
      `servers/web: null, ${JSON.stringify(weighing(`${A} weight=3`).web)}, ` +
      JSON.stringify(weighing(A).web),
    ],
  },
  {
    name: "a server removed by the API leaves the changes of a pool that others share",
    base: { servers: { web: on(ONE), app: on(TWO) }, pools: shared },
    async change({ configuration }) {
      await configuration.changeBackend("app", A, { drain: true });
      await configuration.removeServer("app");
    },
    then: [{ servers: { web: on(ONE), app: on(TWO) }, pools: shared }],
    servers: { web: ONE },
    backends: { [`app ${A}`]: "1 draining" },
  },
];

/** The sections of a row; `other` is always there, so that there is something to do. */
function sections({ servers = {}, pools = APP, rows = [] }: Base) {
  return { base: { other: serverOf([]), ...servers }, pools: { ...APP, ...pools }, rows };
}

function start(base: Base, overlay?: Overlay): Promise<Balancer> {
  const { base: servers, ...rest } = sections(base);
  return configured(servers, { ...rest, ...overlay === undefined ? {} : { overlay } });
}

function print({ at, overlay, base, before }: Conflict): string {
  return `${at}: ${[overlay, base, before].map((value) => JSON.stringify(value)).join(", ")}`;
}

/** Everything that a row says of a balancer. */
function facts({ configuration }: Balancer) {
  const config = configuration.config();
  const servers = [...config.servers.values()].filter(({ name }) => name !== "other");
  const backends = [...config.pools.keys()].flatMap((pool) =>
    configuration.pool(pool)!.backends.filter(({ discovered }) => discovered)
      .map(({ backend, draining }) => [
        `${pool} ${backendKey(backend)}`,
        `${backend.weight}${draining ? " draining" : ""}`,
      ])
  );
  return {
    servers: Object.fromEntries(servers.map(({ name, bind }) => [name, bind.text])),
    backends: Object.fromEntries(backends),
    conflicts: configuration.conflicts().map(print),
  };
}

function told({ log }: Balancer): number {
  return log.lines.filter((line) => line.startsWith("warning the API's change wins")).length;
}

Deno.test.each(ROWS)("overlay and reload: $name", async (row) => {
  const { base, change, then, servers = {}, backends = {}, conflicts = [] } = row;
  await using balancer = await start(base);
  await change(balancer);
  for (const next of then) {
    Object.assign(balancer.state, sections(next));
    await balancer.configuration.reload();
    if (next.rows !== undefined) await balancer.found();
  }
  assert.deepEqual(facts(balancer), { servers, backends, conflicts });
  await balancer.configuration.reload();
  assert.equal(told(balancer), row.told ?? conflicts.length, balancer.log.lines.join("\n"));
});

Deno.test.each(ROWS)("overlay and restart: $name", async (row) => {
  const { base, change, then, servers = {}, backends = {}, conflicts = [] } = row;
  let kept: Overlay;
  {
    await using balancer = await start(base);
    await change(balancer);
    kept = balancer.state.kept;
  }
  for (const next of then.slice(0, -1)) {
    await using balancer = await start(next, kept);
    kept = balancer.state.kept;
  }
  await using balancer = await start(then.at(-1)!, kept);
  assert.deepEqual(facts(balancer), { servers, backends, conflicts });
  assert.equal(told(balancer), conflicts.length, balancer.log.lines.join("\n"));
});

Deno.test.each(ROWS)("overlay and DELETE /overlay: $name", async (row) => {
  await using balancer = await start(row.base);
  await row.change(balancer);
  for (const next of row.then) {
    Object.assign(balancer.state, sections(next));
    await balancer.configuration.reload();
    if (next.rows !== undefined) await balancer.found();
  }
  await balancer.configuration.forget([]);
  await using fresh = await start(row.then.at(-1)!);
  assert.deepEqual(facts(balancer), facts(fresh));
  assert.deepEqual(balancer.state.kept, { servers: {}, backends: {} });
  assert.equal(await balancer.configuration.forget([]), undefined);
});
