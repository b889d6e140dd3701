import assert from "node:assert/strict";
import { file, type FileOptions } from "../../../discovery/file.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { backendKey } from "../../../lib/model.ts";
import { shell } from "../../support/process.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const never = new AbortController().signal;
const contextOf = (signal: AbortSignal) => ({ signal, run: runProgram, skip: () => {} });
const read = async (options: FileOptions, signal = never) =>
  (await file.find(options, contextOf(signal))).map(backendKey);

Deno.test("file takes lines or JSON", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/list`;
  await Deno.writeTextFile(path, "10.0.0.1:80\nnonsense\n");
  assert.deepEqual(await read({ file_path: path }), ["10.0.0.1:80"]);
  await Deno.writeTextFile(path, '[{"host":"::1","port":80}]');
  assert.deepEqual(await read({ file_path: path, file_format: "json" }), ["[::1]:80"]);
  await Deno.rename(path, `${path}.json`);
  assert.deepEqual(await read({ file_path: `${path}.json` }), ["[::1]:80"]);
});

Deno.test("file says what is wrong with a file, and waits for no pipe", async () => {
  await using folder = new TemporaryFolder();
  const refuses = (path: string, why: string) =>
    assert.rejects(read({ file_path: path }), {
      name: "DiscoveryError",
      message: `${path} ${why}`,
    });
  const path = `${folder.path}/list`;
  await refuses(path, "does not exist");
  await refuses(folder.path, "is a directory");
  await shell(`mkfifo ${path}`);
  await refuses(path, "is no plain file");
  await Deno.remove(path);
  await Deno.writeFile(path, new Uint8Array([0xff, 0xfe, 0x80]));
  await refuses(path, "is not UTF-8 text");
  await Deno.truncate(path, 9 << 20);
  await refuses(path, "is larger than 8 MiB");
});

/** A watched file, and the next list that it gives. */
function watched(path: string) {
  const stop = new AbortController();
  const lists = file.watch!({ file_path: path }, contextOf(stop.signal))[Symbol.asyncIterator]();
  return {
    next: async () => (await lists.next()).value.map(backendKey),
    ended: () => lists.next(),
    stop,
  };
}

Deno.test("file sees writes in place, renames and links that lead elsewhere", async () => {
  await using folder = new TemporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await Deno.mkdir(at("one"));
  await Deno.mkdir(at("two"));
  await Deno.writeTextFile(at("one/list"), "10.0.0.1:80");
  await Deno.writeTextFile(at("two/list"), "10.0.0.4:80");
  await Deno.symlink("one", at("now"));
  const { next, ended, stop } = watched(at("now/list"));
  assert.deepEqual(await next(), ["10.0.0.1:80"]);
  await Deno.writeTextFile(at("one/list"), "10.0.0.2:80");
  assert.deepEqual(await next(), ["10.0.0.2:80"]);
  await Deno.writeTextFile(at("one/new"), "10.0.0.3:80");
  await Deno.rename(at("one/new"), at("one/list"));
  assert.deepEqual(await next(), ["10.0.0.3:80"]);
  await Deno.symlink("two", at("then"));
  await Deno.rename(at("then"), at("now"));
  assert.deepEqual(await next(), ["10.0.0.4:80"]);
  const last = ended();
  stop.abort();
  assert.equal((await last).done, true);
});

Deno.test("file fails when its file goes, or isn't there at first", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/list`;
  await assert.rejects(watched(path).next(), { message: `${path} does not exist` });
  await Deno.writeTextFile(path, "10.0.0.1:80");
  const { next } = watched(path);
  await next();
  await Deno.remove(path);
  await assert.rejects(next(), { message: `${path} does not exist` });
});
