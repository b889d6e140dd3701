import assert from "node:assert/strict";
import { probeStateFile, StateFile } from "../../../../lib/host/state_file.ts";
import { NO_OVERLAY, withServer } from "../../../../lib/overlay.ts";
import { NO_STATE } from "../../../../lib/state.ts";
import type { StartError } from "../../../../lib/errors.ts";

Deno.test("a state file is made by the first write, read again, and replaced whole", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/state.json`;
  const file = new StateFile(path);
  assert.equal(file.read(), undefined);
  const overlay = withServer(NO_OVERLAY, "web", { bind: ":80" });
  file.write({ ...NO_STATE, overlay });
  assert.deepEqual(file.read()?.overlay, overlay);
  file.write(NO_STATE);
  assert.deepEqual(file.read()?.overlay, NO_OVERLAY);
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["state.json"]);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a state file that can't be read isn't ignored, and one that can't be written keeps the old", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/state.json`;
  await Deno.writeTextFile(path, "{");
  assert.throws(() => new StateFile(path).read(), (error: StartError) => {
    assert.equal(error.message, `state file ${path} can't be used: it is not JSON`);
    return true;
  });
  await Deno.remove(path);
  const file = new StateFile(path);
  await Deno.mkdir(`${path}.new/in-the-way`, { recursive: true });
  assert.throws(() => file.write(NO_STATE));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a state file isn't written through a link that somebody has put beside it", async () => {
  const folder = await Deno.makeTempDir();
  const file = new StateFile(`${folder}/state.json`);
  await Deno.writeTextFile(`${folder}/victim`, "precious");
  await Deno.symlink(`${folder}/victim`, `${folder}/state.json.new`);
  file.write(NO_STATE);
  assert.equal(await Deno.readTextFile(`${folder}/victim`), "precious");
  assert.equal((await Deno.lstat(`${folder}/state.json`)).isFile, true);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a state file that is none, or whose folder can't be written, is refused at the start", async () => {
  const folder = await Deno.makeTempDir();
  const read = (path: string) => new StateFile(path).read();
  const refusal = (path: string, open: (path: string) => unknown = read): string => {
    try {
      open(path);
    } catch (error) {
      return (error as StartError).message;
    }
    return "none";
  };
  await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
  assert.match(refusal(`${folder}/pipe`), /can't be used: it is not a plain file$/);
  assert.match(refusal(folder), /can't be used: it is not a plain file$/);
  probeStateFile(`${folder}/state.json`);
  assert.match(
    refusal(`${folder}/none/state.json`, probeStateFile),
    /state\.json can't be written: .*No such file/,
  );
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["pipe"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a state file that is a link is written where the link leads, or refused", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/real`);
  await Deno.writeTextFile(`${folder}/real/state.json`, "{");
  await Deno.symlink(`${folder}/real/state.json`, `${folder}/state.json`);
  new StateFile(`${folder}/state.json`).write(NO_STATE);
  assert.equal((await Deno.lstat(`${folder}/state.json`)).isSymlink, true);
  assert.deepEqual(new StateFile(`${folder}/real/state.json`).read()?.overlay, NO_OVERLAY);
  await Deno.remove(`${folder}/real/state.json`);
  assert.throws(() => new StateFile(`${folder}/state.json`), /it is a link that leads nowhere/);
  await Deno.mkdir(`${folder}/other.json.new`);
  assert.throws(() => probeStateFile(`${folder}/other.json`), /is a directory: move it away/);
  await Deno.remove(folder, { recursive: true });
});
