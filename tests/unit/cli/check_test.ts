import assert from "node:assert/strict";
import { checkCommand } from "../../../cli/check.ts";
import { kinds } from "../../support/kinds.ts";

const folder = new URL("../../fixtures/config/", import.meta.url);

async function check(name: string, options: { format?: "toml" | "json"; lenient?: boolean } = {}) {
  const file = new URL(name, folder).pathname;
  const written = { out: "", err: "" };
  const code = await checkCommand(file, { kinds, ...options }, {
    out: (text) => written.out += text,
    err: (text) => written.err += text,
  });
  return { code, out: written.out.replaceAll(file, name), err: written.err.replaceAll(file, name) };
}

Deno.test("checkCommand() counts what a good configuration holds", async () => {
  assert.deepEqual(await check("full.toml"), {
    code: 0,
    out: "full.toml: ok, 4 servers, 2 pools, 2 backends named\n",
    err: [
      "cert_path: there is no file /etc/twixt/api.pem",
      "key_path: there is no file /etc/twixt/api.key",
    ]
      .map((line) => `warning: full.toml: api.tls.${line}\n`).join(""),
  });
  assert.deepEqual(await check("minimal.toml"), {
    code: 0,
    out: "minimal.toml: ok, 1 server, 1 pool, 1 backend named\n",
    err: "",
  });
});

Deno.test("checkCommand() prints warnings beside a good answer", async () => {
  const { code, err } = await check("legacy.toml");
  assert.equal(code, 0);
  assert.match(err, /^warning: legacy\.toml:4: logging\.format: "plain" means text\n {7}One of/);
});

Deno.test("checkCommand() prints every problem and how many there are", async () => {
  const { code, out, err } = await check("syntax.toml");
  assert.deepEqual({ code, out }, { code: 2, out: "" });
  assert.equal(
    err,
    `${await Deno.readTextFile(new URL("syntax.error", folder))}` +
      "syntax.toml: 1 problem\n",
  );
  assert.match((await check("errors.toml")).err, /\nerrors\.toml: \d\d problems\n$/);
});

Deno.test("checkCommand() takes the format that it is told", async () => {
  const { code, err } = await check("minimal.toml", { format: "json" });
  assert.equal(code, 2);
  assert.match(err, /^minimal\.toml:1: not JSON: /);
});

Deno.test("checkCommand() says what to do about a missing file", async () => {
  assert.deepEqual(await check("nothing.toml"), {
    code: 2,
    out: "",
    err: "nothing.toml does not exist\n" +
      "       check the path, or write a first one: twixt init nothing.toml\n",
  });
});
