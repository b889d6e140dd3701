import assert from "node:assert/strict";
import { StartError } from "../../../../lib/errors.ts";
import { inTime, readPlainFile, readPlainFileSync } from "../../../../lib/source/plain_file.ts";
import { shell } from "../../../support/process.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

Deno.test("readPlainFile() and readPlainFileSync() give a file's text, and wait for no pipe", async () => {
  await using folder = new TemporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await Deno.writeTextFile(at("plain"), "é\n");
  await shell(`mkfifo ${at("pipe")}`);
  for (const read of [readPlainFile, async (path: string) => await readPlainFileSync(path)]) {
    assert.equal(await read(at("plain")), "é\n");
    const wrong = [
      ["pipe", "is no plain file"],
      [".", "is a directory"],
      ["missing", "does not exist"],
    ] as const;
    for (const [name, what] of wrong) {
      await assert.rejects(
        read(at(name)),
        (error) => error instanceof StartError && error.message === `${at(name)} ${what}`,
      );
    }
  }
});

Deno.test("inTime() gives what is promised, or fails when it is late", async () => {
  const late = new Error("late");
  assert.equal(await inTime(Promise.resolve(1), 10_000, late), 1);
  await assert.rejects(inTime(Promise.reject(new Error("broken")), 10_000, late), /broken/);
  await assert.rejects(inTime(new Promise(() => {}), 5, late), (error) => error === late);
});
