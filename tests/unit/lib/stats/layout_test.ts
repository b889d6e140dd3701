import assert from "node:assert/strict";
import * as layout from "../../../../lib/stats/layout.ts";

const { ACTIVE, TOTAL, REFUSED, RX, TX, CELLS } = layout;
const COMMON = [ACTIVE, TOTAL, REFUSED, RX, TX];

Deno.test.each<{ sort: string; cells: readonly number[] }>([
  {
    sort: "server",
    cells: [
      ...[layout.OVER_CAPACITY, layout.OVER_LIMIT, layout.DENIED, layout.NO_BACKEND],
      ...[layout.ACCEPT_ERRORS, layout.TIMED_OUT, layout.RETRIES],
      ...[layout.UNKNOWN_PROXY, layout.BAD_PROXY_HEADER],
      ...[layout.HANDSHAKE_FAILED, layout.HANDSHAKE_TIMED_OUT, layout.OVER_UNFINISHED],
      ...[layout.UNFINISHED, layout.NO_ROUTE, layout.BAD_HELLO, layout.HELLO_TIMEOUT],
      layout.GUARDED,
    ],
  },
  { sort: "backend", cells: [layout.DIAL_TIMEOUTS, layout.RESETS] },
  { sort: "process", cells: [layout.BUFFER_DENIED, layout.LOG_DROPPED] },
])("a $sort's counters have a cell each", ({ cells }) => {
  const all = [...COMMON, ...cells];
  assert.equal(new Set(all).size, all.length);
  assert(all.every((cell) => cell >= 0 && cell < CELLS));
});
