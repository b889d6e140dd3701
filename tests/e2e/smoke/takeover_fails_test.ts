/** `--takeover` that can't be done, or has nobody to take over from: whoever serves goes on serving. */
import assert from "node:assert/strict";
import { ask, echo, greeter, type TcpBackend, until, writeAll } from "../../support/backends.ts";
import { connect, freePort } from "../../support/clients.ts";
import { hasMounts } from "../../support/host.ts";
import { staticServer } from "../../support/static_server.ts";
import { program, runTwixt, spawn } from "../../support/process.ts";
import { Twixt } from "../../support/twixt.ts";

const timeout = 30_000;

type Config = Record<string, unknown> & { readonly servers: Record<string, unknown> };

function config(backends: readonly TcpBackend[]): Config {
  return {
    workers: 2,
    api: { enabled: true, bind: `127.0.0.1:${freePort()}` },
    servers: { web: staticServer(backends, { bind: `127.0.0.1:${freePort()}` }) },
  };
}

/** Ten clients in a row get an echo. */
async function assertEchoes(port: number): Promise<void> {
  for (let byte = 0; byte < 10; byte++) {
    using conn = await connect(port);
    await exchange(conn, byte);
  }
}

async function exchange(conn: Deno.Conn, byte: number): Promise<void> {
  const buffer = new Uint8Array(8);
  await writeAll(conn, Uint8Array.of(byte));
  assert.equal(await conn.read(buffer), 1);
  assert.equal(buffer[0], byte);
}

/** Its pid file and its API say that it serves, and an old session and new ones agree. */
async function assertServes(twixt: Twixt, session: Deno.Conn): Promise<void> {
  await exchange(session, 7);
  await assertEchoes(twixt.port("web"));
  assert.equal((await (await twixt.api("/")).json()).pid, twixt.pid);
  assert.equal(await twixt.pidInFile(), twixt.pid);
  const reload = await (await twixt.api("/reload", "POST")).json();
  assert.equal(reload.changes, "nothing changed");
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
  /** What standard error must say; the same names stand for the same. */
  readonly says: string;
  readonly ignore?: boolean;
};

const onTaken = (section: unknown) => ({ ...section as object, bind: "127.0.0.1:$TAKEN" });

const cases: Case[] = [
  {
    what: "a configuration with an unknown key",
    code: 2,
    change: (config) => ({ ...config, wrokers: 2 }),
    says: `did you mean "workers"?`,
  },
  {
    what: "another pid file",
    code: 2,
    change: (config) => config,
    args: ["-p", "$FOLDER/other.pid"],
    says: "name two pid files",
  },
  {
    what: "a server's port that another program has",
    code: 1,
    change: ({ servers, ...rest }) => ({
      ...rest,
      servers: { ...servers, more: onTaken(servers.web) },
    }),
    says: `server "more" can't listen on 127.0.0.1:$TAKEN: address in use`,
  },
  {
    what: "an API address that another program has",
    code: 1,
    change: (config) => ({ ...config, api: onTaken({ enabled: true }) }),
    says: "the API can't listen on 127.0.0.1:$TAKEN: address in use",
  },
  {
    what: "a state file in a folder that doesn't exist",
    code: 1,
    change: (config) => ({ ...config, state_file: "$FOLDER/none/state.json" }),
    says: "state file $FOLDER/none/state.json can't be written",
  },
  {
    what: "a folder for certificates that can't be made",
    code: 1,
    change: (config) => ({ ...config, acme: { cache_dir: "$FOLDER/twixt.json" } }),
    says: "$FOLDER/twixt.json/twixt-acme can't be made",
  },
  {
    what: "a pid file that can't be written",
    code: 1,
    change: (config) => ({ ...config, state_file: "$FOLDER.state.json" }),
    wrap: "exec unshare -m sh -c 'mount --bind $FOLDER $FOLDER && " +
      'mount -o remount,bind,ro $FOLDER && exec "$@"\' - {}',
    says: "pid file $FOLDER/twixt.pid can't be written",
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
      assert(ended.err.includes(filled(says)), ended.err);
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

Deno.test("--takeover of a process that doesn't answer gives the pid file back, and it goes on", {
  timeout,
}, async () => {
  await using backend = echo();
  await using old = await Twixt.start({ config: config([backend]) });
  using session = await connect(old.port("web"));
  await exchange(session, 1); // it has come through
  old.signal("SIGSTOP");
  try {
    const { code, err } = await runTwixt(["-c", old.file, "--takeover", old.pidFile]);
    assert.equal(code, 1, err);
    assert(err.includes(`process ${old.pid} doesn't yield its service; it goes on`), err);
  } finally {
    old.signal("SIGCONT");
  }
  await old.logged(({ msg }) => /SIGUSR2 is ignored|has given up waiting/.test(msg));
  await assertServes(old, session);
  await using next = await old.takeover();
  await assertServes(next, session);
});

Deno.test("--takeover that names no configuration is refused: the demo replaces nobody", {
  timeout,
}, async () => {
  await using backend = echo();
  await using old = await Twixt.start({ config: config([backend]) });
  using session = await connect(old.port("web"));
  for (const command of [[], ["demo"]]) {
    const { code, err } = await runTwixt([...command, "--takeover", old.pidFile]);
    assert.equal(code, 2, err);
  }
  await assertServes(old, session);
});

Deno.test("three processes that take over at the same time leave one that serves", {
  timeout,
}, async () => {
  await using backend = echo();
  await using old = await Twixt.start({ config: config([backend]) });
  const command = [...program(), "-c", old.file, "--takeover", old.pidFile];
  const codes = new Map<number, number>();
  await using stack = new AsyncDisposableStack();
  const outputs = [1, 2, 3].map(async () => {
    const child = spawn(command, {});
    stack.defer(async () => {
      if (!codes.has(child.pid)) child.kill("SIGKILL");
      await child.status;
    });
    const { code, stderr } = await child.output();
    codes.set(child.pid, code);
    return new TextDecoder().decode(stderr);
  });
  assert.equal(await old.ended(), 0);
  await until(() => codes.size === 2, 15_000, "the end of the other two");
  const pid = await old.pidInFile();
  assert(!codes.has(pid), "the pid file names one that has ended");
  assert.equal((await (await old.api("/")).json()).pid, pid);
  await assertEchoes(old.port("web"));
  Deno.kill(pid, "SIGTERM");
  await Promise.all(outputs);
  const [first, second, last] = codes.values(); // too late, or taken over in its turn
  assert([first, second].every((code) => code === 0 || code === 1), String([...codes]));
  assert.equal(last, 0);
});

for (const names of ["a process that has ended", "no process, as it isn't there"]) {
  Deno.test(`--takeover with a pid file that names ${names} is a normal start, and says so`, {
    timeout,
  }, async () => {
    await using red = greeter("red");
    const gone = names.startsWith("a") ? "echo $(sh -c 'echo $$') > $FOLDER/twixt.pid; " : "";
    await using twixt = await Twixt.start({
      config: config([red]),
      takeover: true,
      wrap: `${gone}exec {}`,
    });
    assert.equal(await ask(twixt.port("web")), "red");
    assert.equal(await twixt.pidInFile(), twixt.child.pid);
    assert.equal((await (await twixt.api("/")).json()).pid, twixt.pid);
    await twixt.logged(({ level, msg }) =>
      level === "warning" && msg === "nobody runs who could be taken over"
    );
    assert(!twixt.lines.some(({ msg }) => msg === "taken over"));
    twixt.signal("SIGTERM");
    assert.equal(await twixt.ended(), 0);
  });
}

Deno.test(
  "--takeover from another program, which got the number of a dead twixt, tells it nothing",
  {
    timeout,
  },
  async () => {
    await using other = new Sleeper();
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/twixt.json`, JSON.stringify(config([])));
      await Deno.writeTextFile(`${folder}/twixt.pid`, `${other.pid}\n`);
      const args = ["-c", `${folder}/twixt.json`, "--takeover", `${folder}/twixt.pid`];
      const { code, err } = await runTwixt(args);
      assert.equal(code, 1);
      assert.match(err, /twixt\.pid isn't a twixt that can be taken over\n.*remove the pid file/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    assert(!other.ended, "a signal has ended it");
  },
);

/** A process that does nothing, and ends at the first signal. */
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

Deno.test("a start on the ports of a running Twixt without naming its pid file is refused", {
  timeout,
}, async () => {
  await using backend = echo();
  await using twixt = await Twixt.start({ config: config([backend]) });
  using session = await connect(twixt.port("web"));
  for (const args of [[], ["--takeover", `${twixt.folder}/none.pid`]]) {
    const { code, err } = await runTwixt(["-c", twixt.file, ...args]);
    assert.equal(code, 1);
    assert.match(err, /^error: (the API|server "web") can't listen on .*: address in use/);
  }
  await assertServes(twixt, session);
});
