import assert from "node:assert/strict";
import { needsRun, refuseCommands } from "../../../cli/run_permission.ts";
import { pathsOf } from "../../../cli/start.ts";
import { discoveries } from "../../../discovery/registry.ts";
import { checks } from "../../../health/registry.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { staticServer } from "../../support/static_server.ts";

const kinds = { strategies, discoveries, checks };

function configOf(argv?: readonly string[]) {
  const discovery = { kind: "exec", exec_command: argv };
  const web = staticServer(["a:80"], argv === undefined ? {} : { discovery });
  const text = JSON.stringify({ servers: { web } });
  return loadConfig(text, { file: "x.json", format: "json", kinds, lenient: false }).config;
}

Deno.test("run is needed for commands, allowed programs, and where somebody says so", () => {
  const without = configOf();
  assert.equal(needsRun(without, kinds, {}), false);
  assert.equal(needsRun(without, kinds, { allowExec: [], keepPermissions: false }), false);
  assert.equal(needsRun(without, kinds, { allowExec: ["/bin/a"] }), true);
  assert.equal(needsRun(without, kinds, { keepPermissions: true }), true);
  assert.equal(needsRun(configOf(["/bin/a"]), kinds, {}), true);
});

Deno.test("refuseCommands() says what to do where a program can't be run any more", () => {
  refuseCommands(configOf(), kinds, () => false);
  refuseCommands(configOf(["/bin/a"]), kinds, (program) => program === "/bin/a");
  refuseCommands(configOf(["/bin/a"]), kinds);
  assert.throws(() => refuseCommands(configOf(["/bin/a", "x"]), kinds, () => false), {
    name: "StartError",
    message: "/bin/a can't be run: this process gave up running programs at its start",
    hint: "it needs a restart, or --takeover; --keep-permissions keeps it able to",
  });
});

Deno.test("run is needed where the kernel forwards, for nftables", () => {
  const text = JSON.stringify({ servers: { web: staticServer(["a:80"], { forward: "kernel" }) } });
  const { config } = loadConfig(text, { file: "x.json", format: "json", kinds, lenient: false });
  assert.equal(needsRun(config, kinds, {}), true);
  refuseCommands(config, kinds, (program) => program === "nft");
  assert.throws(() => refuseCommands(config, kinds, () => false), { message: /^nft can't be run/ });
});

Deno.test("--allow-exec takes paths from the root, with commas", () => {
  assert.deepEqual(pathsOf(undefined), []);
  assert.deepEqual(pathsOf("/bin/a, /bin/b,"), ["/bin/a", "/bin/b"]);
  for (const wrong of ["", ",", "a", "/bin/a,b", "./a"]) {
    assert.throws(() => pathsOf(wrong), { name: "StartError", message: /is not a path from the/ });
  }
});
