import assert from "node:assert/strict";
import { StartError } from "../../../../lib/errors.ts";
import { readConfigFile } from "../../../../lib/source/read_file.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

Deno.test("readConfigFile() takes the format from the extension, TOML for any other", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  for (const [name, format] of [["a.json", "json"], ["a.toml", "toml"], ["a.conf", "toml"]]) {
    const path = `${folder}/${name}`;
    await Deno.writeTextFile(path, "é");
    assert.deepEqual(await readConfigFile(path), { text: "é", format, file: path });
  }
  assert.equal((await readConfigFile(`${folder}/a.conf`, "json")).format, "json");
});

Deno.test("readConfigFile() says what is wrong with a file that it can't use, and what to do", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  await Deno.writeFile(`${folder}/bytes`, new Uint8Array([0xff, 0xfe]));
  await Deno.writeFile(`${folder}/large`, new Uint8Array(8 * 1024 * 1024 + 1));
  const wrong = [
    [
      "missing",
      "does not exist",
      /^check the path, or write a first one: twixt init \S+missing$/,
    ],
    [".", "is a directory", /^name the file inside it$/],
    ["bytes", "is not UTF-8 text", /^save it as UTF-8$/],
    ["large", "is larger than 8 MiB", /^is it the file that you meant\?$/],
  ] as const;
  for (const [name, what, hint] of wrong) {
    const path = `${folder}/${name}`;
    await assert.rejects(readConfigFile(path), (error: unknown) => {
      assert.ok(error instanceof StartError);
      assert.equal(error.message, `${path} ${what}`);
      assert.match(error.hint, hint);
      assert.ok(error.usage);
      return true;
    });
  }
});
