import assert from "node:assert/strict";
import { createOnce } from "../../../../lib/host/create_once.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

Deno.test("createOnce() writes a file for this user alone, and leaves one that is there", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/a/b/key`;
  assert.equal(createOnce(path, "first"), "first");
  assert.equal(createOnce(path, "second"), "first");
  assert.equal(Deno.readTextFileSync(path), "first");
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(`${folder.path}/a`).mode! & 0o777, 0o700);
  assert.deepEqual([...Deno.readDirSync(`${folder.path}/a/b`)].map(({ name }) => name), ["key"]);
});

Deno.test("createOnce() leaves nothing where it can't write", async () => {
  await using folder = new TemporaryFolder();
  Deno.mkdirSync(`${folder.path}/taken`);
  assert.throws(() => createOnce(`${folder.path}/taken`, "text"));
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["taken"]);
});
