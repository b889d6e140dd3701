import assert from "node:assert/strict";
import { StateError } from "../../../lib/errors.ts";
import { NO_OVERLAY, withServer } from "../../../lib/overlay.ts";
import type { State } from "../../../lib/state.ts";
import { StateKeeper } from "../../../lib/state_keeper.ts";
import { until } from "../../support/backends.ts";
import { MemoryLog } from "../../support/log.ts";

const ONE = withServer(NO_OVERLAY, "web", {});

function setUp(withFile = true) {
  const disk = { written: [] as State[], full: false, down: {} };
  const log = new MemoryLog();
  const keeper = new StateKeeper({
    file: withFile
      ? {
        path: "/state.json",
        write(state) {
          if (disk.full) throw new Error("No space left on device");
          disk.written.push(state);
        },
      }
      : undefined,
    overlay: NO_OVERLAY,
    down: () => disk.down,
    log,
  });
  return { keeper, disk, log, [Symbol.dispose]: () => keeper[Symbol.dispose]() };
}

Deno.test("StateKeeper writes nothing before begin(), then changes at once and health soon", async () => {
  using test = setUp();
  const { keeper, disk } = test;
  keeper.keep(ONE);
  keeper.healthChanged();
  assert.deepEqual(disk.written, []);
  keeper.begin();
  keeper.keep(ONE);
  assert.deepEqual(disk.written, [{ overlay: ONE, down: {} }]);
  disk.down = { web: ["10.0.0.1:80"] };
  for (let i = 0; i < 100; i++) keeper.healthChanged();
  await until(() => disk.written.length > 1);
  assert.deepEqual(disk.written.slice(1), [{ overlay: ONE, down: { web: ["10.0.0.1:80"] } }]);
});

Deno.test("StateKeeper.lastWord() is the state and whose it is; once disposed nothing is kept", () => {
  using test = setUp();
  const { keeper, disk } = test;
  keeper.begin();
  keeper.keep(ONE);
  assert.deepEqual(keeper.lastWord(), { overlay: ONE, down: {}, handedOverBy: Deno.pid });
  keeper[Symbol.dispose]();
  keeper.healthChanged();
  assert.throws(() => keeper.keep(ONE), /another process has taken over: the change is lost/);
  assert.deepEqual(disk.written, [{ overlay: ONE, down: {} }]);
});

Deno.test("StateKeeper says that a change is lost when the disk is full, and logs it once", () => {
  using test = setUp();
  const { keeper, disk, log } = test;
  keeper.begin();
  disk.full = true;
  const why = "state file /state.json can't be written: No space left on device";
  for (let i = 0; i < 2; i++) {
    assert.throws(() => keeper.keep(ONE), (error) => {
      assert(error instanceof StateError);
      return error.message === `the change is in force, but it is lost with this process: ${why}`;
    });
  }
  assert.deepEqual(log.lines.filter((line) => line.includes(why)).length, 1);
  disk.full = false;
  keeper.keep(ONE);
  assert.deepEqual(disk.written.length, 1);
});

Deno.test("StateKeeper without a file says once that changes end with the process", () => {
  using test = setUp(false);
  const { keeper, log } = test;
  keeper.begin();
  keeper.keep(ONE);
  keeper.keep(ONE);
  keeper.healthChanged();
  assert.equal(log.lines.filter((line) => line.includes("set state_file")).length, 1);
});
