/** `--takeover` that can't be done, or has nobody to take over from: whoever serves goes on serving. */
import assert from "node:assert/strict";
import { ask, echo, greeter, type TcpBackend, writeAll } from "../../support/backends.ts";
import { connect, freePort } from "../../support/clients.ts";
import { hasMounts } from "../../support/host.ts";
import { staticServer } from "../../support/static_server.ts";
import { runTwixt, Twixt } from "../../support/twixt.ts";

const timeout = 30_000;

type Config = Record<string, unknown> & { readonly servers: Record<string, unknown> };

function config(backends: readonly TcpBackend[]): Config {
  return {
    workers: 2,
    api: { enabled: true, bind: `127.0.0.1:${freePort()}` },
    servers: { web: staticServer(backends, { bind: `127.0.0.1:${freePort()}` }) },
  };
}

/** Nothing has changed for its clients, its operators and whoever reads its pid file. */
async function assertServes(twixt: Twixt, session: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(8);
  await writeAll(session, Uint8Array.of(7));
  assert.equal(await session.read(buffer), 1);
  for (let i = 0; i < 10; i++) {
    using conn = await connect(twixt.port("web"));
    await writeAll(conn, Uint8Array.of(i));
    assert.equal(await conn.read(buffer), 1);
    assert.equal(buffer[0], i);
  }
  assert.equal((await (await twixt.api("/")).json()).pid, twixt.pid);
  assert.equal((await twixt.api("/reload", "POST")).status, 200); // its configuration is as it was
  assert.equal(await twixt.pidInFile(), twixt.pid);
  assert.deepEqual(twixt.lines.filter(({ msg }) => msg.startsWith("taken over by")), []);
}

/** A takeover that fails. */
type Case = {
  readonly what: string;
  readonly code: number;
  /** The successor's configuration, made from the one that runs; `$TAKEN` is a port that another program has. */
  readonly change: (config: Config) => unknown;
  readonly args?: readonly string[];
  /** As for `runTwixt()`; `$FOLDER` is where the files are. */
  readonly wrap?: string;
  /** What standard error must say. */
  readonly says: RegExp;
  readonly ignore?: boolean;
};

const onTaken = (section: unknown) => ({ ...section as object, bind: "127.0.0.1:$TAKEN" });

const cases: Case[] = [
  {
    what: "a configuration with an unknown key",
    code: 2,
    change: (config) => ({ ...config, wrokers: 2 }),
    says: /wrokers.*\n.*did you mean "workers"/,
  },
  {
    what: "another pid file",
    code: 2,
    change: (config) => config,
    args: ["-p", "$FOLDER/other.pid"],
    says: /--takeover|-p/,
  },
  {
    what: "a server's port that another program has",
    code: 1,
    change: ({ servers, ...rest }) => ({
      ...rest,
      servers: { ...servers, more: onTaken(servers.web) },
    }),
    says: /server "more" can't listen on 127\.0\.0\.1:\$TAKEN: address in use/,
  },
  {
    what: "an API port that another program has",
    code: 1,
    change: (config) => ({ ...config, api: onTaken(config.api) }),
    says: /can't listen on 127\.0\.0\.1:\$TAKEN: address in use/,
  },
  {
    what: "a state file in a folder that doesn't exist",
    code: 1,
    change: (config) => ({ ...config, state_file: "$FOLDER/none/state.json" }),
    says: /state file .*\/none\/state\.json can't be/,
  },
  {
    what: "a pid file that can't be written",
    code: 1,
    change: (config) => ({ ...config, state_file: "$FOLDER.state.json" }),
    wrap: "exec unshare -m sh -c 'mount --bind $FOLDER $FOLDER && " +
      'mount -o remount,bind,ro $FOLDER && exec "$@"\' - {}',
    says: /twixt\.pid.* can't be written/,
    ignore: !hasMounts,
  },
];

for (const { what, code, change, args = [], wrap, says, ignore = false } of cases) {
  Deno.test(`--takeover with ${what} exits ${code}, and the old process goes on`, {
    ignore,
    timeout,
  }, async () => {
    await using backend = echo();
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const good = config([backend]);
    await using old = await Twixt.start({ config: good });
    using session = await connect(old.port("web"));
    const filled = (text: string) =>
      text.replaceAll("$FOLDER", old.folder).replaceAll("$TAKEN", String(taken.addr.port));
    const logging = { level: "info", format: "json" };
    const changed = { logging, ...change(good) as object };
    const file = `${old.folder}/changed.json`;
    await Deno.writeTextFile(file, filled(JSON.stringify(changed)));
    try {
      const command = ["-c", file, "--takeover", old.pidFile, ...args.map(filled)];
      const ended = await runTwixt(command, wrap === undefined ? {} : { wrap: filled(wrap) });
      assert.equal(ended.code, code, ended.err);
      assert.match(ended.err, new RegExp(filled(says.source)));
      assert.doesNotMatch(ended.err, /^\s+at |TypeError|Uncaught|defect of twixt/m);
      await assertServes(old, session);
    } finally {
      await Deno.remove(`${old.folder}.state.json`).catch(() => {}); // made by one of them, if at all
    }
    await using next = await old.takeover(); // what failed has left nothing that is in its way
    await assertServes(next, session);
  });
}

Deno.test("SIGUSR2 to a process that is still named in its pid file changes nothing", {
  timeout,
}, async () => {
  await using backend = echo();
  await using twixt = await Twixt.start({ config: config([backend]) });
  using session = await connect(twixt.port("web"));
  twixt.signal("SIGUSR2");
  await twixt.logged(({ level, msg }) => level === "warning" && /SIGUSR2|taken? over/.test(msg));
  await assertServes(twixt, session);
});

Deno.test("--takeover from a process that has ended, or is something else, is a normal start", {
  timeout,
}, async () => {
  await using red = greeter("red");
  await using other = new Sleeper();
  const pids = ["$(sh -c 'echo $$')", String(other.pid)];
  for (const pid of pids) {
    await using twixt = await Twixt.start({
      config: config([red]),
      takeover: true,
      wrap: `echo ${pid} > $FOLDER/twixt.pid; exec {}`,
    });
    await assertStarted(twixt);
  }
  await using twixt = await Twixt.start({ config: config([red]), takeover: true });
  await assertStarted(twixt);
  assert(!other.ended, "a signal went to a process that isn't ours");
});

/** It serves, and has said that it took over from nobody. */
async function assertStarted(twixt: Twixt): Promise<void> {
  assert.equal(await ask(twixt.port("web")), "red");
  assert.equal(await twixt.pidInFile(), twixt.child.pid);
  const said = [...twixt.err, ...twixt.lines.map(({ msg }) => msg)];
  assert(said.some((text) => /tak(e|en|ing) over/.test(text)), said.join("\n"));
  assert(!said.includes("taken over"));
  twixt.signal("SIGTERM");
  assert.equal(await twixt.ended(), 0);
}

/** A process that does nothing. */
class Sleeper implements AsyncDisposable {
  readonly #child = new Deno.Command("sleep", { args: ["60"] }).spawn();
  ended = false;

  constructor() {
    void this.#child.status.then(() => this.ended = true);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.ended) this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

Deno.test(
  "a normal start on ports of another Twixt is refused, with or without a pid file of its own",
  {
    timeout,
  },
  async () => {
    await using backend = echo();
    await using twixt = await Twixt.start({ config: config([backend]) });
    using session = await connect(twixt.port("web"));
    const none = `${twixt.folder}/none.pid`;
    for (const args of [[], ["--takeover", none]]) {
      const { code, err } = await runTwixt(["-c", twixt.file, ...args]);
      assert.equal(code, 1);
      assert.match(err, /server "web" can't listen on .*: address in use/);
    }
    await assertServes(twixt, session);
  },
);
