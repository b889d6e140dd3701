/** Clients' certificates, as openssl and curl show them. */
import assert from "node:assert/strict";
import type { ProxyHeader } from "../../protocols/proxy_header.ts";
import { ProxyReader } from "../../protocols/proxy_reader.ts";
import { greeter, readAll, TcpBackend, until, writeAll } from "../support/backends.ts";
import { Authority } from "../support/certificates.ts";
import { testByDenoRun } from "../support/host.ts";
import { needs, run } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";

/** Twixt refuses it on old runtimes, which verify nobody. */
const options = { ...needs(["openssl", "curl"]), timeout: 60_000 };

type Pair = { readonly cert: string; readonly key: string };

/** Everybody's certificates, and Twixt in front of a backend. */
class World implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly own: Authority;
  readonly others: Authority;

  private constructor(own: Authority, others: Authority, readonly server: Pair) {
    this.own = own;
    this.others = others;
  }

  static async make(): Promise<World> {
    const stack = new AsyncDisposableStack();
    const [own, others] = await Promise.all(
      [1, 2].map(async () => await Authority.make(stack.use(new TemporaryFolder()).path)),
    );
    const world = new World(own!, others!, await own!.issue("server", { names: ["localhost"] }));
    world.#stack.use(stack);
    return world;
  }

  async start(
    backend: TcpBackend,
    tls: Record<string, unknown>,
    more: Record<string, unknown> = {},
    servers: Record<string, unknown> = {},
  ): Promise<Twixt> {
    const { cert: cert_path, key: key_path } = this.server;
    const server = staticServer([backend], {
      ...{ protocol: "tls", tls: { cert_path, key_path, client_ca_path: this.own.ca, ...tls } },
      ...more,
    });
    const config = {
      ...{ workers: 1, api: { enabled: true, bind: "127.0.0.1:0" }, logging: LOGGING },
      servers: { web: server, ...servers },
    };
    return this.#stack.use(await Twixt.start({ config }));
  }

  /** `served`, or nothing where the client with this certificate is refused. */
  async ask(
    twixt: Twixt,
    pair?: Pair,
    args: readonly string[] = [],
    server = "web",
  ): Promise<string> {
    const shown = pair ? ["-cert", pair.cert, "-cert_chain", pair.cert, "-key", pair.key] : [];
    const connect = ["-connect", `127.0.0.1:${twixt.port(server)}`, "-servername", "localhost"];
    const trust = ["-CAfile", this.own.ca, "-verify_return_error", "-quiet"];
    try {
      const said = await run(
        ["openssl", "s_client", ...connect, ...trust, ...shown, ...args],
        "hello\n",
      );
      return said.startsWith("served") ? "served" : "";
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

const LOGGING = { level: "debug", format: "json" };

/** Certificates that are good, and that aren't. */
async function issued({ own, others }: World) {
  const extensions = "extendedKeyUsage=clientAuth\n";
  const good = { names: ["alice.test"], subject: "/O=Acme/CN=alice", extensions };
  return {
    alice: await own.issue("alice", good),
    rsa: await own.issue("rsa", { ...good, keys: "rsa", subject: "/CN=rsa" }),
    plain: await own.issue("plain", { names: ["plain.test"] }),
    bad: {
      stranger: await others.issue("stranger", good),
      expired: await own.issue("expired", { ...good, days: -1 }),
      "for servers alone": await own.issue("for-servers", {
        ...good,
        extensions: "extendedKeyUsage=serverAuth\n",
      }),
    },
  };
}

testByDenoRun(
  "client_auth = require serves who shows a good certificate, and nobody else",
  options,
  async () => {
    await using world = await World.make();
    await using backend = greeter("served");
    const { alice, rsa, plain, bad } = await issued(world);
    const twixt = await world.start(backend, { client_auth: "require" });
    for (const pair of [alice, rsa, plain]) assert.equal(await world.ask(twixt, pair), "served");
    assert.equal(await world.ask(twixt, alice, ["-tls1_2"]), "served");
    assert.equal(backend.count, 4);
    for (const args of [[], ["-tls1_2"]]) {
      assert.equal(await world.ask(twixt, undefined, args), "");
      for (const [what, pair] of Object.entries(bad)) {
        assert.equal(await world.ask(twixt, pair, args), "", what);
      }
    }
    assert.equal(backend.count, 4, "no backend was dialled");
    assert.equal((await twixt.stats("web")).refused.bad_client_certificate, 8);
    const why = twixt.lines.filter(({ msg }) => msg === "a TLS handshake failed")
      .map((line) => String(line["why"]));
    assert.equal(why.filter((each) => each === "it shows no certificate").length, 2, why.join());
    assert.equal(why.filter((each) => /certificate isn't good/.test(each)).length, 6, why.join());
    assert.equal(why.filter((each) => /it has expired on/.test(each)).length, 2, why.join());
    const curl = ["curl", "-sS", "-m", 5, "--cacert", world.own.ca] as const;
    const url = `https://localhost:${twixt.port("web")}/`;
    const answer = run([...curl, "--http0.9", "--cert", alice.cert, "--key", alice.key, url]);
    assert.equal(await answer, "served");
    await assert.rejects(run([...curl, "--http0.9", url]));
  },
);

testByDenoRun(
  "client_auth = optional serves who shows none, but nobody with a bad one",
  options,
  async () => {
    await using world = await World.make();
    await using backend = greeter("served");
    const { alice, bad } = await issued(world);
    const twixt = await world.start(backend, { client_auth: "optional" });
    assert.equal(await world.ask(twixt, alice), "served");
    assert.equal(await world.ask(twixt), "served");
    for (const [what, pair] of Object.entries(bad)) {
      assert.equal(await world.ask(twixt, pair), "", what);
    }
    assert.equal((await twixt.stats("web")).refused.bad_client_certificate, 3);
  },
);

testByDenoRun("client_allow lets in whom a rule names", options, async () => {
  await using world = await World.make();
  await using backend = greeter("served");
  const { alice, rsa, plain } = await issued(world);
  const twixt = await world.start(backend, {
    client_auth: "require",
    client_allow: ["O=Acme", "DNS:plain.*"],
  });
  assert.equal(await world.ask(twixt, alice), "served");
  assert.equal(await world.ask(twixt, plain), "served");
  assert.equal(await world.ask(twixt, rsa), "");
  const { why } = await twixt.logged(({ msg }) => msg === "a TLS handshake failed");
  assert.equal(why, "nobody of client_allow: CN=rsa, DNS:alice.test");
});

testByDenoRun(
  "an authority that is taken out of the file is trusted no more, resumed sessions included",
  options,
  async () => {
    await using world = await World.make();
    await using backend = greeter("served");
    await using folder = new TemporaryFolder();
    const { alice } = await issued(world);
    const trusted = `${folder.path}/clients.pem`;
    const trust = async (ca: string) => {
      await Deno.copyFile(ca, `${trusted}.new`);
      await Deno.rename(`${trusted}.new`, trusted);
    };
    await trust(world.own.ca);
    const twixt = await world.start(backend, { client_auth: "require", client_ca_path: trusted });
    const session = `${folder.path}/session`;
    assert.equal(await world.ask(twixt, alice, ["-sess_out", session]), "served");
    assert.equal(await world.ask(twixt, alice, ["-sess_in", session]), "served");
    await trust(world.others.ca);
    await twixt.logged(({ msg }) => msg === "certificates renewed");
    assert.equal(await world.ask(twixt, alice), "");
    for (let i = 0; i < 4; i++) {
      assert.equal(await world.ask(twixt, alice, ["-sess_in", session]), "");
    }
  },
);

testByDenoRun(
  "who was refused gets no session to resume, and nobody comes in by one of another server",
  options,
  async () => {
    await using world = await World.make();
    await using backend = greeter("served");
    await using folder = new TemporaryFolder();
    const { alice, bad } = await issued(world);
    const { cert: cert_path, key: key_path } = world.server;
    const trusting = (client_auth: string, client_ca_path: string) =>
      staticServer([backend], {
        ...{ protocol: "tls", tls: { cert_path, key_path, client_auth, client_ca_path } },
      });
    const twixt = await world.start(backend, { client_auth: "require" }, {}, {
      others: trusting("require", world.others.ca),
      anybody: trusting("optional", world.own.ca),
    });
    let served = 0;
    const ask = async (server: string, pair: Pair | undefined, args: readonly string[]) => {
      const said = await world.ask(twixt, pair, args, server);
      if (said === "served") served++;
      return said;
    };
    for (const version of ["-tls1_2", "-tls1_3"]) {
      for (const [what, pair] of [...Object.entries(bad), ["none", undefined]] as const) {
        const session = `${folder.path}/${what}${version}`;
        assert.equal(await ask("web", pair, [version, "-sess_out", session]), "", what);
        assert(!await exists(session), `${what} has got a session`);
      }
      const known = `${folder.path}/alice${version}`;
      assert.equal(await ask("web", alice, [version, "-sess_out", known]), "served");
      assert.equal(await ask("web", alice, [version, "-sess_in", known]), "served");
      assert.equal(await ask("others", alice, [version, "-sess_in", known]), "");
      const stranger = `${folder.path}/stranger${version}`;
      assert.equal(await ask("others", bad.stranger, [version, "-sess_out", stranger]), "served");
      assert.equal(await ask("web", bad.stranger, [version, "-sess_in", stranger]), "");
      const nobody = `${folder.path}/nobody${version}`;
      assert.equal(await ask("anybody", undefined, [version, "-sess_out", nobody]), "served");
      assert.equal(await ask("web", alice, [version, "-sess_in", nobody]), "");
      assert.equal(await ask("web", alice, [version]), "served", "with a whole handshake");
    }
    assert.equal(backend.count, served, "who is refused reaches no backend");
  },
);

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

testByDenoRun("min_version = tls1.3 holds", options, async () => {
  await using world = await World.make();
  await using backend = greeter("served");
  const twixt = await world.start(backend, { client_ca_path: "", min_version: "tls1.3" });
  assert.equal(await world.ask(twixt), "served");
  assert.equal(await world.ask(twixt, undefined, ["-tls1_2"]), "");
});

testByDenoRun(
  "a PROXY header of version 2 tells backends of TLS, the name and the client's certificate",
  options,
  async () => {
    await using world = await World.make();
    const { alice } = await issued(world);
    const headers: ProxyHeader[] = [];
    await using backend = new TcpBackend(async (conn) => {
      const buffer = new Uint8Array(4096);
      const reader = new ProxyReader();
      const read = reader.push(buffer.subarray(0, (await conn.read(buffer))!));
      assert(typeof read === "object" && "header" in read);
      headers.push(read.header);
      await writeAll(conn, new TextEncoder().encode("served"));
      await conn.closeWrite();
      await readAll(conn).catch(() => {});
    });
    const twixt = await world.start(backend, { client_auth: "optional", alpn: ["h2"] }, {
      proxy_protocol: { version: "2", extras: ["authority", "unique_id", "ssl", "crc32c"] },
    });
    assert.equal(await world.ask(twixt, alice, ["-alpn", "h2"]), "served");
    assert.equal(await world.ask(twixt, undefined, ["-tls1_2"]), "served");
    await until(() => headers.length === 2);
    const [known, unknown] = headers;
    assert.deepEqual([known!.alpn, known!.authority], ["h2", "localhost"]);
    assert.deepEqual(known!.ssl, {
      ...{ client: 7, verify: 0, version: "TLSv1.3", commonName: "alice" },
      cipher: known!.ssl!.cipher,
    });
    assert.match(known!.ssl!.cipher!, /^TLS_(AES|CHACHA)/);
    assert.deepEqual([unknown!.alpn, unknown!.ssl?.client, unknown!.ssl?.version], [
      undefined,
      1,
      "TLSv1.2",
    ]);
    assert.equal(unknown!.ssl!.commonName, undefined);
    const ids = headers.map(({ uniqueId }) => new TextDecoder().decode(uniqueId));
    assert.notEqual(ids[0], ids[1]);
    for (const id of ids) assert.match(id, /^[0-9a-f-]{36}$/);
  },
);
