import assert from "node:assert/strict";
import { until } from "../support/backends.ts";
import { type Argv, needs, run, runHashed } from "../support/real.ts";
import { Balanced } from "./_balanced.ts";
import { Daemon, Folder, freePort, unprivileged } from "./_daemon.ts";

const options = needs(["initdb", "postgres", "psql", "pgbench", "setpriv"]);

/** PostgreSQL on 127.0.0.1 and 127.0.0.2, and Twixt in front of the two addresses. */
class Databases implements AsyncDisposable {
  private constructor(
    readonly balanced: Balanced,
    readonly direct: number,
    readonly log: () => string,
    readonly stack: AsyncDisposableStack,
  ) {}

  static async start(): Promise<Databases> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await Folder.make());
    const port = freePort();
    const as = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"] as const;
    await run(
      unprivileged(["initdb", "--no-sync", "--no-instructions", ...as, "-D", `${path}/data`]),
    );
    const settings = [
      "listen_addresses=127.0.0.1,127.0.0.2",
      `unix_socket_directories=${path}`,
      "fsync=off",
      "log_connections=off",
    ].flatMap((setting) => ["-c", setting]);
    const argv = unprivileged(["postgres", "-D", `${path}/data`, "-p", port, ...settings]);
    const server = stack.use(await Daemon.start(argv, port));
    await until(() => run(query(port, "SELECT 1")).then(() => true, () => false));
    const balanced = stack.use(await Balanced.start([`127.0.0.1:${port}`, `127.0.0.2:${port}`]));
    return new Databases(balanced, port, () => server.log, stack.move());
  }

  /** Fails where Twixt has left something behind, or a connection broke for PostgreSQL. */
  async assertClean(): Promise<void> {
    await this.balanced.assertClean();
    assert.doesNotMatch(this.log(), /ERROR|FATAL|PANIC|could not|unexpected EOF/);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack[Symbol.asyncDispose]();
  }
}

/** How clients find the server at a port. */
function at(port: number): readonly (string | number)[] {
  return ["-h", "127.0.0.1", "-p", port, "-U", "postgres"];
}

function query(port: number, sql: string): Argv {
  return [
    "psql",
    "-X",
    "-q",
    "-A",
    "-t",
    "-v",
    "ON_ERROR_STOP=1",
    ...at(port),
    "-c",
    sql,
    "postgres",
  ];
}

/** 1,600,000 lines of 33 bytes that don't compress. */
const ROWS = "SELECT md5(i::text) AS line FROM generate_series(1, 1600000) AS i";
/** The same for any two tables with the same lines, whatever their order. */
const SUM = "SELECT count(*), sum(hashtext(line)::bigint)";

Deno.test("postgres: 50 MB of rows come through as they come directly", options, async () => {
  await using databases = await Databases.start();
  const { balanced, direct } = databases;
  assert.equal(await run(query(balanced.port, "SELECT 6 * 7")), "42\n");
  const expected = await runHashed(query(direct, `COPY (${ROWS}) TO STDOUT`));
  const got = await runHashed(query(balanced.port, `COPY (${ROWS}) TO STDOUT`));
  assert.equal(got.bytes, 52_800_000);
  assert.equal(got.sha256, expected.sha256);
  await databases.assertClean();
});

Deno.test("postgres: 50 MB of rows go through as they go directly", options, async () => {
  await using databases = await Databases.start();
  const { balanced, direct } = databases;
  await run(query(direct, "CREATE UNLOGGED TABLE copy (line text)"));
  const [from, to] = [
    query(direct, `COPY (${ROWS}) TO STDOUT`),
    query(balanced.port, "COPY copy FROM STDIN"),
  ].map((argv) => argv.map((word) => `'${word}'`).join(" "));
  await run(["sh", "-c", `${from} | ${to}`]);
  const expected = await run(query(direct, `${SUM} FROM (${ROWS}) AS rows`));
  assert.equal(await run(query(balanced.port, `${SUM} FROM copy`)), expected);
  await databases.assertClean();
});

Deno.test(
  "postgres: pgbench loses no transaction, over kept and new connections",
  options,
  async () => {
    await using databases = await Databases.start();
    const { balanced } = databases;
    await run(["pgbench", ...at(balanced.port), "-i", "-s", 5, "-q", "postgres"]);
    const load = ["-n", "-c", 20, "-j", 2, "-T", 10, "postgres"];
    for (const mode of [[], ["-C"]]) {
      const said = await run(["pgbench", ...at(balanced.port), ...mode, ...load]);
      const done = Number(said.match(/actually processed: (\d+)/)?.[1]);
      assert.ok(done > 500, said);
      assert.doesNotMatch(said, /failed transactions: [1-9]/);
      assert.doesNotMatch(said, /error|fatal|aborted/i);
      await databases.assertClean();
    }
  },
);
