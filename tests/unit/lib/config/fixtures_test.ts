import assert from "node:assert/strict";
import { loadConfig } from "../../../../lib/config/load.ts";
import { ConfigError, printProblem } from "../../../../lib/errors.ts";
import { kinds } from "../../../support/kinds.ts";

const folder = new URL("../../../fixtures/config/", import.meta.url);
const names = [...Deno.readDirSync(folder)].map(({ name }) => name);

function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, folder));
}

/** A loaded configuration as a fixture shows it: plain objects, warnings as they are printed. */
function shown(file: string): unknown {
  const { config, warnings } = loadConfig(read(file), { file, format: "toml", kinds });
  const { servers, pools, ...rest } = config;
  const plain = { servers: Object.fromEntries(servers), pools: Object.fromEntries(pools) };
  return { warnings: warnings.map(printProblem), ...rest, ...plain };
}

for (const file of names.filter((name) => name.endsWith(".toml")).sort()) {
  const base = file.slice(0, -".toml".length);
  if (names.includes(`${base}.error`)) {
    Deno.test(`loadConfig() reports everything that is wrong with ${file}`, () => {
      assert.throws(() => shown(file), (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(`${error.message}\n`, read(`${base}.error`));
        return true;
      });
    });
  } else {
    Deno.test(`loadConfig() makes of ${file} what ${base}.json shows, in that order`, () => {
      const wanted = JSON.stringify(JSON.parse(read(`${base}.json`)), null, 2);
      assert.equal(JSON.stringify(shown(file), null, 2), wanted);
    });
  }
}
