import assert from "node:assert/strict";
import { Takeover } from "../../../cli/takeover.ts";
import type { Configuration } from "../../../lib/configuration.ts";
import type { State } from "../../../lib/state.ts";
import { MemoryLog } from "../../support/log.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

Deno.test("a last word that can't be read ends no takeover: the old process has yielded", async () => {
  await using folder = new TemporaryFolder();
  const pidFile = `${folder.path}/pid`;
  const code = `
    Deno.addSignalListener("SIGUSR2", () => {
      Deno.writeTextFileSync("${pidFile}.handover", '{"version": 99}');
      Deno.exit(0);
    });
    Deno.writeTextFileSync("${pidFile}", String(Deno.pid));
    console.log("up"); setTimeout(() => {}, 60_000);`;
  const old = new Deno.Command(Deno.execPath(), { args: ["eval", code], stdout: "piped" }).spawn();
  const reader = old.stdout.getReader();
  await reader.read();
  const inherited: (State | undefined)[] = [];
  const configuration = {
    inherit(state: State | undefined) {
      inherited.push(state);
      return Promise.resolve();
    },
  } as Pick<Configuration, "inherit"> as Configuration;
  const log = new MemoryLog();
  using _pidFile = await Takeover.of(pidFile)!.complete(configuration, log);
  await reader.cancel();
  await old.status;
  assert.deepEqual(inherited, [undefined]);
  assert.equal(await Deno.readTextFile(pidFile), `${Deno.pid}\n`);
  assert(
    log.lines.some((line) =>
      line.startsWith(
        "error what the old process leaves can't be read; its last changes may be lost",
      )
    ),
  );
  await assert.rejects(Deno.stat(`${pidFile}.handover`), Deno.errors.NotFound);
});
