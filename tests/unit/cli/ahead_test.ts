import assert from "node:assert/strict";
import { Ahead } from "../../../cli/ahead.ts";
import type { WorkerLike } from "../../../lib/workers.ts";

/** Makes workers that say which of them were ended. */
function workshop() {
  const made: WorkerLike[] = [], ended: WorkerLike[] = [];
  const spawn = (): WorkerLike => {
    const worker = {
      ...{ onmessage: null, onerror: null, postMessage: () => {} },
      terminate: () => void ended.push(worker),
    };
    made.push(worker);
    return worker;
  };
  return { made, ended, spawn };
}

Deno.test("Ahead has one worker ready, then makes one for each that is asked for", async () => {
  const { made, ended, spawn } = workshop();
  {
    using ahead = new Ahead(spawn);
    assert.equal(made.length, 1);
    assert.deepEqual([ahead.worker(), ahead.worker()], made);
    assert.equal(made.length, 2);
    await ahead.facts;
  }
  assert.deepEqual(ended, []);
});

Deno.test("Ahead ends a worker that nobody has taken, and knows the host's limits", async () => {
  const { made, ended, spawn } = workshop();
  {
    using ahead = new Ahead(spawn);
    assert.ok((await ahead.facts).softDescriptors! > 10);
  }
  assert.deepEqual([made.length, ended], [1, made]);
});
