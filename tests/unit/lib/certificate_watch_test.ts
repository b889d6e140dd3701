import assert from "node:assert/strict";
import { watchCertificates } from "../../../lib/certificate_watch.ts";
import { until } from "../../support/backends.ts";
import { ManualClock } from "../../support/clock.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const LOOK_MS = 2_000;

Deno.test("watchCertificates() tells of a change once it looks the same twice, again after a failure, and ends", async () => {
  await using folder = new TemporaryFolder();
  const file = `${folder.path}/cert.pem`;
  const clock = new ManualClock();
  const stop = new AbortController();
  let reads = 0;
  let good = true;
  let files: string[] = [];
  const watched = {
    certificateFiles: () => files,
    renewCertificates: () => Promise.resolve((reads++, good)),
  };
  const ended = watchCertificates(watched, clock, stop.signal);
  const looks = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await clock.advance(LOOK_MS);
      await until(() => clock.sleeping === 1);
    }
  };
  await looks(3);
  assert.equal(reads, 0, "nobody has any");
  files = [file];
  await looks(3);
  assert.equal(reads, 1, "a file that isn't there looks so, too");
  await Deno.writeTextFile(file, "a");
  await looks(1);
  assert.equal(reads, 1, "somebody may be writing still");
  await looks(1);
  assert.equal(reads, 2);
  await looks(3);
  assert.equal(reads, 2);
  good = false;
  await Deno.remove(file);
  await looks(4);
  assert.equal(reads, 5, "what failed is tried again at each look");
  good = true;
  await looks(3);
  assert.equal(reads, 6);
  await clock.advance(24 * 60 * 60_000);
  await until(() => clock.sleeping === 1);
  await looks(3);
  assert.equal(reads, 7, "once a day in any case");
  stop.abort();
  await ended;
});
