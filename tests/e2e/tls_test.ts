/** TLS termination as openssl and curl see it. */
import assert from "node:assert/strict";
import { ask, echo, greeter, readAll, TcpBackend, until, writeAll } from "../support/backends.ts";
import { Authority, type IssueOptions } from "../support/certificates.ts";
import { works } from "../support/host.ts";
import { needs, run } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";

const options = { ...needs(["openssl", "curl"]), timeout: 90_000 };

const enoughDescriptors = works('h=$(ulimit -Hn); [ "$h" = unlimited ] || [ "$h" -ge 3000 ]');

type Pair = { readonly cert: string; readonly key: string };

const REQUEST = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

const pathsOf = ({ cert, key }: Pair) => ({ cert_path: cert, key_path: key });

function start(backend: TcpBackend, tls: Record<string, unknown>, more = {}): Promise<Twixt> {
  return Twixt.start({
    config: {
      workers: 2,
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: { web: { ...staticServer([backend]), protocol: "tls", tls, ...more } },
    },
  });
}

/** What openssl says of a handshake; fails where it can't verify who is there. */
async function handshake(
  twixt: Twixt,
  ca: string,
  { name, verified = name ?? "", args = [] }: {
    name?: string;
    verified?: string;
    args?: readonly string[];
  },
  input = "",
): Promise<string> {
  return await run([
    ...[
      "openssl",
      "s_client",
      "-connect",
      `127.0.0.1:${twixt.port("web")}`,
      "-CAfile",
      ca,
    ] as const,
    ...name === undefined ? ["-noservername"] : ["-servername", name],
    ...["-verify_return_error", "-verify_hostname", verified, ...args],
  ], input);
}

Deno.test(
  "each name gets its certificate, with its chain; ECDSA and RSA, in every form of key",
  options,
  async () => {
    await using folder = new TemporaryFolder();
    const { path } = folder;
    const authority = await Authority.make(path);
    const issue = (name: string, more: Partial<IssueOptions> & Pick<IssueOptions, "names">) =>
      authority.issue(name, more);
    const main = await issue("main", { names: ["main.test", "www.main.test"] });
    const rsa = await issue("rsa", { names: ["rsa.test"], keys: "rsa" });
    const wild = await issue("wild", { names: ["*.wild.test"] });
    const exact = await issue("exact", { names: ["exact.wild.test"], keys: "rsa" });
    await run(["openssl", "ec", "-in", wild.key, "-out", `${path}/sec1`]);
    await run(["openssl", "rsa", "-traditional", "-in", exact.key, "-out", `${path}/pkcs1`]);
    await using backend = greeter("hello");
    await using twixt = await start(backend, {
      ...pathsOf(main),
      certificates: [
        pathsOf(rsa),
        { cert_path: wild.cert, key_path: `${path}/sec1` },
        { cert_path: exact.cert, key_path: `${path}/pkcs1` },
      ],
    });
    const before = await twixt.descriptors();
    const cases = [
      { name: "main.test", verified: "main.test", key: "256 bit" },
      { name: "www.main.test", verified: "main.test", key: "256 bit" },
      { name: "RSA.test", verified: "rsa.test", key: "2048 bit" },
      { name: "a.wild.test", verified: "b.wild.test", key: "256 bit" },
      { name: "exact.wild.test", verified: "exact.wild.test", key: "2048 bit" },
      { name: "unknown.test", verified: "main.test", key: "256 bit" },
      { name: "b.a.wild.test", verified: "main.test", key: "256 bit" },
      { name: undefined, verified: "main.test", key: "256 bit" },
    ];
    for (const version of ["-tls1_2", "-tls1_3"]) {
      for (const { name, verified, key } of cases) {
        const asked = name === undefined ? {} : { name };
        const said = await handshake(twixt, authority.ca, { ...asked, verified, args: [version] });
        assert.match(said, /Verify return code: 0 \(ok\)/);
        assert.match(said, new RegExp(`Server public key is ${key}`));
        assert.match(said, /1 s:CN = intermediate/, "the chain comes with it");
      }
    }
    await assert.rejects(handshake(twixt, authority.ca, { name: "a.test", args: ["-tls1_1"] }));
    await until(async () => (await twixt.stats("web")).refused.handshake_failed === 1);
    await twixt.descriptorsReturn(before);
  },
);

Deno.test(
  "curl gets a page, by the protocol that was agreed on; sessions are resumed",
  options,
  async () => {
    await using folder = new TemporaryFolder();
    const { path } = folder;
    const authority = await Authority.make(path);
    const pair = await authority.issue("a", { names: ["a.test"] });
    const page = "x".repeat(200_000);
    const headers =
      `HTTP/1.1 200 OK\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n`;
    await using backend = new TcpBackend(async (conn) => {
      await conn.read(new Uint8Array(4096)); // what closes with unread bytes resets
      await writeAll(conn, new TextEncoder().encode(headers + page));
    });
    await using twixt = await start(backend, { ...pathsOf(pair), alpn: ["http/1.1"] });
    const port = twixt.port("web");
    const curl = ["curl", "-sS", "--cacert", authority.ca, "--resolve", `a.test:${port}:127.0.0.1`];
    const got = await run([curl[0]!, ...curl.slice(1), "-v", `https://a.test:${port}/`]);
    assert(got.includes(page), got.slice(0, 500));
    assert.match(got, /ALPN: server accepted http\/1\.1/);
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const session = `${path}/session${version}`;
      const name = "a.test";
      const resume = async (args: string[]) =>
        await handshake(
          twixt,
          authority.ca,
          { name, args: [version, "-ign_eof", ...args] },
          REQUEST,
        );
      assert.match(await resume(["-sess_out", session]), /New, TLSv1\.[23]/);
      // each worker knows its own sessions
      let reused = false;
      for (let i = 0; i < 20 && !reused; i++) {
        reused = /Reused, TLSv1\.[23]/.test(
          await resume(["-sess_in", session, "-sess_out", session]),
        );
      }
      assert(reused, `${version} is never resumed`);
    }
  },
);

Deno.test("gobetween's documented example of TLS runs, with warnings", options, async () => {
  await using folder = new TemporaryFolder();
  const authority = await Authority.make(folder.path);
  const pair = await authority.issue("a", { names: ["a.test"], keys: "rsa" });
  await using backend = greeter("hello");
  const tls = {
    ...pathsOf(pair),
    ...{ min_version: "tls1", max_version: "tls1.2", ciphers: [] },
    ...{ prefer_server_ciphers: false, session_tickets: true },
  };
  await using twixt = await start(backend, tls);
  const warnings = twixt.lines.filter(({ level }) => level === "warning").map(({ msg }) => msg);
  const about = warnings.map((msg) => /servers\.web\.tls\.(\w+)/.exec(msg)?.[1]);
  assert.deepEqual(about.sort(), ["max_version", "min_version", "prefer_server_ciphers"]);
  const said = await handshake(twixt, authority.ca, { name: "a.test", args: ["-ign_eof"] });
  assert.match(said, /hello/);
});

Deno.test(
  "certificates are swapped by SIGHUP and by a change of files, and no handshake fails",
  options,
  async () => {
    await using folder = new TemporaryFolder();
    const authority = await Authority.make(folder.path);
    const names = ["localhost"];
    const pair = await authority.issue("a", { names });
    await using backend = echo();
    await using twixt = await start(backend, pathsOf(pair));
    const caCerts = [await Deno.readTextFile(authority.ca)];
    const connect = () =>
      Deno.connectTls({ hostname: "localhost", port: twixt.port("web"), caCerts });
    const serial = async () => {
      const said = await handshake(twixt, authority.ca, { name: "localhost" });
      return (await run(["openssl", "x509", "-noout", "-serial"], said)).trim();
    };
    const before = await twixt.descriptors();
    const old = await connect();
    await writeAll(old, Uint8Array.of(1));

    let served = 0;
    let busy = true;
    const failed: unknown[] = [];
    const clients = (async () => {
      while (busy) {
        try {
          using client = await connect();
          await writeAll(client, Uint8Array.of(7));
          assert.equal(await client.read(new Uint8Array(1)), 1);
          served++;
        } catch (error) {
          failed.push(error);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    try {
      const first = await serial();
      /** Both workers show another certificate than that. */
      const another = async (than: string) => {
        const seen: string[] = [];
        await until(async () => {
          seen.push(await serial());
          return seen.length >= 5 && new Set(seen.slice(-5)).size === 1 && seen.at(-1) !== than;
        });
        return seen.at(-1)!;
      };
      const renewed = (count: number) => () =>
        twixt.lines.filter(({ msg }) => msg === "certificates renewed").length >= count;
      await authority.issue("a", { names });
      twixt.signal("SIGHUP");
      await twixt.logged(renewed(1));
      const second = await another(first);
      await authority.issue("a", { names, keys: "rsa" }); // nobody tells of it
      await twixt.logged(renewed(2));
      const third = await another(second);

      const good = await Deno.readTextFile(pair.cert);
      await Deno.writeTextFile(pair.cert, "nonsense");
      const broken = ({ msg }: { msg: string }) => msg.startsWith("certificates can't be renewed");
      const line = await twixt.logged(broken);
      assert.match(
        String(line.why),
        /^servers\.web\.tls\.cert_path: .*a\.pem holds no CERTIFICATE/,
      );
      twixt.signal("SIGHUP");
      await twixt.logged(({ msg }) =>
        msg === "reloaded: nothing changed" && twixt.lines.some(broken)
      );
      assert.equal(await serial(), third, "the old one stays");
      await Deno.writeTextFile(pair.cert, good);
      await twixt.logged(({ msg }) => msg === "certificates can be used again");
      assert.equal(twixt.lines.filter(broken).length, 1, "it is logged once");
      assert(!twixt.text().includes("PRIVATE KEY"));
    } finally {
      busy = false;
      await clients;
    }
    assert(served > 50, `${served} served`);
    assert.deepEqual(failed, []);
    await writeAll(old, Uint8Array.of(2));
    await old.closeWrite();
    assert.deepEqual([...await readAll(old)], [1, 2], "its session has gone on");
    old.close();
    await twixt.descriptorsReturn(before);
  },
);

Deno.test("a reload with a pair that can't be used changes nothing", options, async () => {
  await using folder = new TemporaryFolder();
  const authority = await Authority.make(folder.path);
  const a = await authority.issue("a", { names: ["a.test"] });
  const b = await authority.issue("b", { names: ["b.test"] });
  await using backend = greeter("hello");
  await using twixt = await start(backend, pathsOf(a));
  const config = twixt.options.config as { servers: { web: Record<string, unknown> } };
  const using = (tls: unknown) => ({ ...config, servers: { web: { ...config.servers.web, tls } } });
  const mixed = { cert_path: b.cert, key_path: a.key };
  assert.equal(await twixt.reload(using(mixed)), false);
  await twixt.logged(({ msg }) => msg.includes(`${a.key} is not the key of ${b.cert}`));
  await handshake(twixt, authority.ca, { name: "a.test" });
  assert.equal(await twixt.reload(using({ ...pathsOf(b), alpn: ["h2"] })), true);
  // for a moment the old listener takes those who are in its queue
  const shown = () =>
    handshake(twixt, authority.ca, { name: "b.test" }).then(() => true, () => false);
  await until(shown, 5_000, "the other certificate");
  await handshake(twixt, authority.ca, { name: "b.test" });
  // plainly and back, on the same port
  const { tls: _tls, protocol: _protocol, ...plain } = config.servers.web;
  const bind = `127.0.0.1:${twixt.port("web")}`;
  assert.equal(await twixt.reload({ ...config, servers: { web: { ...plain, bind } } }), true);
});

Deno.test(
  "without a guard silent clients are refused at their limit; when they leave, everything is free again",
  options,
  async () => {
    await using folder = new TemporaryFolder();
    const authority = await Authority.make(folder.path);
    const pair = await authority.issue("a", { names: ["a.test"] });
    await using backend = greeter("hello");
    const limits = { max_unfinished: 20, handshake_timeout: "500ms", guard: "never" };
    const tls = { ...pathsOf(pair), ...limits };
    await using twixt = await start(backend, tls);
    await handshake(twixt, authority.ca, { name: "a.test" });
    const before = await twixt.descriptors();
    const silent = await Promise.all(
      Array.from({ length: 100 }, () => Deno.connect({ port: twixt.port("web") })),
    );
    await until(async () => {
      const { refused, ...stats } = await twixt.stats("web");
      return refused.handshake_timed_out > 0 && refused.over_unfinished > 0 &&
        stats.unfinished_handshakes === 40 && stats.active_connections === 0;
    });
    assert(await twixt.descriptors() <= before + 40 + 3, "no more than twice the limit are held");
    for (const client of silent) client.close();
    await until(async () => (await twixt.stats("web")).unfinished_handshakes === 0);
    await handshake(twixt, authority.ca, { name: "a.test" });
    await twixt.descriptorsReturn(before);
  },
);

Deno.test(
  "1,000 silent clients at a limit of 256 descriptors end nothing; once they leave, all are served",
  {
    ...options,
    ignore: options.ignore || !enoughDescriptors,
  },
  async () => {
    await using folder = new TemporaryFolder();
    const authority = await Authority.make(folder.path);
    const pair = await authority.issue("a", { names: ["localhost"] });
    await using backend = greeter("hello");
    await using twixt = await Twixt.start({
      config: {
        workers: 2,
        servers: {
          web: { ...staticServer([backend]), tls: { ...pathsOf(pair), handshake_timeout: "1s" } },
          plain: staticServer([backend]),
        },
      },
      wrap: "ulimit -n 256 && exec {}",
    });
    const before = await twixt.descriptors();
    const silent = await Promise.all(
      Array.from({ length: 1_000 }, () => Deno.connect({ port: twixt.port("web") })),
    );
    await twixt.logged(({ msg, handshakeTimedOut }) =>
      msg === "clients were refused" && Number(handshakeTimedOut) > 0
    );
    assert(await twixt.descriptors() <= 256);
    for (const client of silent) client.close();
    await twixt.descriptorsReturn(before);
    const caCerts = [await Deno.readTextFile(authority.ca)];
    const said = async () => {
      using client = await Deno.connectTls({
        hostname: "localhost",
        port: twixt.port("web"),
        caCerts,
      });
      return new TextDecoder().decode(await readAll(client));
    };
    let inARow = 0; // some that have left may still be in the kernel's queue
    await until(async () => {
      inARow = await said().catch(() => "") === "hello" ? inARow + 1 : 0;
      return inARow === 50;
    });
    assert.equal(await ask(twixt.port("plain")), "hello");
    await twixt.descriptorsReturn(before);
  },
);
