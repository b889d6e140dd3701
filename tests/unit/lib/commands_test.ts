import assert from "node:assert/strict";
import { type Command, commandsOf, strangersAmong } from "../../../lib/commands.ts";
import { type Kinds, loadConfig } from "../../../lib/config/load.ts";
import { effective } from "../../../lib/effective.ts";
import { ForbiddenError } from "../../../lib/errors.ts";
import { NO_OVERLAY, type Overlay } from "../../../lib/overlay.ts";
import { Registry } from "../../../lib/registry.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { checks } from "../../../health/registry.ts";
import { discoveries } from "../../../discovery/registry.ts";
import type { CheckKind } from "../../../lib/kinds.ts";

/** A check that runs a program, whatever there is beside. */
const asking: CheckKind = {
  ...checks.get("ping"),
  name: "asking",
  commands: () => [["/bin/check"]],
};
const kinds: Kinds = {
  ...{ strategies, discoveries },
  checks: new Registry("healthcheck", [checks.get("ping"), asking]),
};

const server = (argv: readonly string[] | undefined, port: number, more = {}) => ({
  bind: `127.0.0.1:${port}`,
  discovery: argv === undefined
    ? { kind: "static", static_list: ["a:80"] }
    : { kind: "exec", exec_command: argv },
  ...more,
});

function base(servers: Record<string, unknown>) {
  return { text: JSON.stringify({ servers }), file: "x.json", format: "json" as const };
}

function commands(servers: Record<string, unknown>) {
  const text = base(servers);
  return commandsOf(loadConfig(text.text, { ...text, kinds, lenient: false }).config, kinds);
}

Deno.test("commandsOf() finds the commands of discoveries and checks, each once", () => {
  assert.deepEqual(commands({ a: server(undefined, 1000) }), []);
  const healthcheck = { kind: "asking", interval: "1s" };
  assert.deepEqual(
    commands({
      a: server(["/bin/a", "x"], 1000),
      b: server(["/bin/a", "x"], 1001, { healthcheck }),
      c: server(["/bin/a", "y"], 1002),
    }),
    [
      { sort: "discovery", argv: ["/bin/a", "x"] },
      { sort: "check", argv: ["/bin/check"] },
      { sort: "discovery", argv: ["/bin/a", "y"] },
    ],
  );
});

Deno.test("strangersAmong() goes by the whole command, or by an allowed program", () => {
  const known: Command[] = [{ sort: "check", argv: ["/bin/sh", "-c", "ls"] }];
  const find = (argv: string[], allowed: string[] = [], sort: Command["sort"] = "check") =>
    strangersAmong([{ sort, argv }], known, allowed).map(({ argv }) => argv);
  assert.deepEqual(find(["/bin/sh", "-c", "ls"]), []);
  assert.equal(find(["/bin/sh", "-c", "ls"], [], "discovery").length, 1);
  assert.deepEqual(find(["/bin/sh", "-c", "rm"]), [["/bin/sh", "-c", "rm"]]);
  assert.deepEqual(find(["/bin/sh", "-c,ls"]), [["/bin/sh", "-c,ls"]]);
  assert.deepEqual(find(["/bin/x", "y"], ["/bin/x"]), []);
  assert.deepEqual(find(["/bin/../bin/x"], ["/bin/x"]), [["/bin/../bin/x"]]);
  assert.deepEqual(find(["/bin/x y"], ["/bin/x"]), [["/bin/x y"]]);
});

const added = (section: unknown): Overlay =>
  ({ ...NO_OVERLAY, servers: { new: section } }) as Overlay;
const FILE = base({ web: server(["/bin/a", "x"], 1000) });

Deno.test.each([
  { what: "no command", argv: undefined, ok: true },
  { what: "a command of the file", argv: ["/bin/a", "x"], ok: true },
  { what: "its program with other arguments", argv: ["/bin/a", "y"], ok: false },
  { what: "another program", argv: ["/bin/sh"], ok: false },
  { what: "an allowed program", argv: ["/bin/b", "z"], ok: true },
])("effective() lets the overlay run $what: $ok", ({ argv, ok }) => {
  const options = { kinds, lenient: false, overlayFile: "o", allowExec: ["/bin/b"] };
  const load = () => effective(FILE, added(server(argv, 1001)), options);
  if (ok) return void load();
  assert.throws(load, (error) => {
    assert.ok(error instanceof ForbiddenError);
    assert.equal(
      error.message,
      `"${argv![0]}" with these arguments is no command of the configuration file's discoveries`,
    );
    assert.match(error.hint, /--allow-exec PATH/);
    return true;
  });
});

const list = (file_path: string, port: number) => ({
  bind: `127.0.0.1:${port}`,
  discovery: { kind: "file", file_path },
});
const cluster = (api: string, token: string, port: number) => ({
  bind: `127.0.0.1:${port}`,
  discovery: {
    kind: "kubernetes",
    kubernetes_api: api,
    kubernetes_service: "web",
    kubernetes_token_path: token,
  },
});
const READING = base({ a: list("/a", 1000), b: cluster("https://k", "/token", 1001) });

Deno.test.each([
  { what: "a file of the file's", section: list("/a", 1002) },
  { what: "another file", section: list("/etc/shadow", 1002), refused: "/etc/shadow" },
  { what: "a token at its place", section: cluster("https://k", "/token", 1002) },
  {
    what: "a token elsewhere",
    section: cluster("https://x", "/token", 1002),
    refused: "https://x",
  },
  {
    what: "our own token elsewhere",
    section: cluster("https://x", "", 1002),
    refused: "https://x",
  },
  { what: "another token", section: cluster("https://k", "/key", 1002), refused: "/key" },
  { what: "our own token in our cluster", section: cluster("", "", 1002) },
])(
  "effective() asks of an overlay with $what: is $refused in the file?",
  ({ section, refused }) => {
    const load = () =>
      effective(READING, added(section), { kinds, lenient: false, overlayFile: "o" });
    if (refused === undefined) return void load();
    assert.throws(load, (error) => {
      assert.ok(error instanceof ForbiddenError);
      assert.equal(error.message, `"${refused}" is named nowhere in the configuration file`);
      return true;
    });
  },
);

Deno.test("effective() lets the overlay run what the file runs in a server that was removed", () => {
  const overlay = { ...NO_OVERLAY, servers: { web: null, new: server(["/bin/a", "x"], 1001) } };
  effective(FILE, overlay as Overlay, { kinds, lenient: false, overlayFile: "o" });
});
