import assert from "node:assert/strict";
import { initCommand, starter } from "../../../cli/init.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { kinds } from "../../support/kinds.ts";

async function init(file?: string) {
  const written = { out: "", err: "" };
  const code = await initCommand(file, {
    out: (text) => written.out += text,
    err: (text) => written.err += text,
  });
  return { code, ...written };
}

Deno.test("the starter file loads without a warning, also with its comments taken away", () => {
  const options = { file: "starter", format: "toml", kinds } as const;
  const { config, warnings } = loadConfig(starter, options);
  assert.deepEqual(warnings, []);
  assert.deepEqual([...config.servers.keys()], ["web"]);
  const all = starter.replace(/^#(?=[[a-z])/gm, "") + '[servers.x]\nbind = ":3001"\npool = "app"\n';
  assert.deepEqual(loadConfig(all, options).warnings, []);
});

Deno.test("initCommand() prints the starter file when no file is named", async () => {
  assert.deepEqual(await init(), { code: 0, out: starter, err: "" });
});

Deno.test("initCommand() writes a file once and never over another", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/twixt.toml`;
    const first = await init(file);
    assert.equal(first.code, 0);
    assert.equal(
      first.out,
      `${file} written; next: adapt its backends, then twixt check ${file}\n`,
    );
    assert.equal(await Deno.readTextFile(file), starter);
    await Deno.writeTextFile(file, "mine");
    const hint = "       name another file, or remove it first\n";
    assert.deepEqual(await init(file), {
      code: 2,
      out: "",
      err: `${file} exists already\n${hint}`,
    });
    assert.equal(await Deno.readTextFile(file), "mine");
    const { code, err } = await init(`${folder}/no/such`);
    assert.equal(code, 1);
    assert.match(err, /can't be written: .*\n {7}check the path/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
