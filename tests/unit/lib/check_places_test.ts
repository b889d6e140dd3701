import assert from "node:assert/strict";
import { CheckPlaces } from "../../../lib/check_places.ts";
import { pause } from "../../support/clients.ts";

const WAITING = { signal: new AbortController().signal, owner: "p", startsProgram: true };

Deno.test("CheckPlaces lets four programs start at a time, and others beside those that take long", async () => {
  const places = new CheckPlaces(100);
  let running = 0;
  let most = 0;
  const quick = async () => {
    most = Math.max(most, ++running);
    await pause(5);
    running--;
  };
  await Promise.all(Array.from({ length: 60 }, () => places.run(quick, WAITING)));
  assert.equal(most, 4);
  most = 0;
  await Promise.all(
    Array.from({ length: 60 }, () => places.run(quick, { ...WAITING, startsProgram: false })),
  );
  assert.equal(most, 60);
  const slow = async () => {
    most = Math.max(most, ++running);
    await pause(500);
    running--;
  };
  most = 0;
  await Promise.all(Array.from({ length: 12 }, () => places.run(slow, WAITING)));
  assert(most > 4, `${most} at a time`);
});

Deno.test("CheckPlaces gives a program's result or failure to whoever asked", async () => {
  const places = new CheckPlaces(1);
  assert.equal(await places.run(() => Promise.resolve(7), WAITING), 7);
  await assert.rejects(places.run(() => Promise.reject(new Error("no")), WAITING), /no/);
  assert.equal(await places.run(() => Promise.resolve(8), WAITING), 8);
});
