import assert from "node:assert/strict";
import { readAll, TcpBackend, until, writeAll } from "../support/backends.ts";
import { certificate } from "../support/certificates.ts";
import { helloWith, serverNames } from "../support/client_hello.ts";
import { freePort, pause } from "../support/clients.ts";
import { needs } from "../support/real.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";

const options = needs(["openssl", "curl"]);
const BIND = "127.0.0.1:0";
const API = { api: { enabled: true, bind: "127.0.0.1:0" } };

/** An `openssl s_server` whose certificate is for this name, and which speaks these protocols. */
class TlsServer implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess, readonly port: number) {}

  static async start(folder: string, name: string, alpn: string): Promise<TlsServer> {
    const { cert, key } = await certificate(folder, name);
    const port = freePort();
    const child = new Deno.Command("openssl", {
      args: [
        ...["s_server", "-quiet", "-www", "-accept", `127.0.0.1:${port}`, "-alpn", alpn],
        ...["-cert", cert, "-key", key],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const server = new TlsServer(child, port);
    await until(() => accepts(port));
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.status;
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

/** Whose certificate a handshake shows, and the protocol that was agreed on: `a h2`; empty if it failed. */
async function shake(port: number, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const name = /^subject=CN = (.*)$/m.exec(text)?.[1] ?? "";
  const protocol = /^ALPN protocol: (.*)$/m.exec(text)?.[1] ?? "";
  return `${name} ${protocol}`.trim();
}

const list = (port: number, more = "") => ({
  discovery: { kind: "static", static_list: [`127.0.0.1:${port}${more}`] },
});

Deno.test(
  "TLS clients reach the backend of their name, by sni and by routes, undecrypted",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(new TemporaryFolder());
    const [a, b] = await Promise.all([
      TlsServer.start(folder.path, "a", "h2,http/1.1"),
      TlsServer.start(folder.path, "b", "acme-tls/1,http/1.1"),
    ]);
    stack.use(a);
    stack.use(b);
    await using twixt = await Twixt.start({
      config: {
        ...API,
        servers: {
          named: {
            bind: BIND,
            sni: { hostname_matching_strategy: "wildcard", unexpected_hostname_strategy: "reject" },
            discovery: {
              kind: "static",
              static_list: [
                `127.0.0.1:${a.port} sni=a.example`,
                `127.0.0.1:${b.port} sni=*.b.example`,
              ],
            },
          },
          routed: {
            bind: BIND,
            routes: [
              { match: { alpn: "acme-tls/1" }, pool: "b" },
              { match: { client: ["127.0.0.2"] }, pool: "b" },
              { match: { sni: ["a.example", { suffix: ".a.example" }] }, pool: "a" },
            ],
          },
        },
        pools: { a: list(a.port), b: list(b.port) },
      },
    });
    const named = twixt.port("named");
    assert.equal(await shake(named, "-servername", "A.example", "-alpn", "h2"), "a h2");
    assert.equal(await shake(named, "-servername", "x.b.example"), "b");
    assert.equal(await shake(named, "-servername", "c.example"), "");
    assert.equal(await shake(named, "-noservername"), "");

    const routed = twixt.port("routed");
    assert.equal(await shake(routed, "-servername", "x.a.example", "-alpn", "h2"), "a h2");
    const acme = ["-servername", "a.example", "-alpn", "acme-tls/1"];
    assert.equal(await shake(routed, ...acme), "b acme-tls/1");
    assert.equal(await shake(routed, "-bind", "127.0.0.2:0", "-servername", "a.example"), "b");
    assert.equal(await shake(routed, "-servername", "c.example"), "");

    const { stdout, code } = await new Deno.Command("curl", {
      args: [
        ...[
          "-sk",
          "--http1.1",
          "--max-time",
          "10",
          "--resolve",
          `www.a.example:${routed}:127.0.0.1`,
        ],
        `https://www.a.example:${routed}/`,
      ],
    }).output();
    assert.equal(code, 0);
    assert.match(new TextDecoder().decode(stdout), /s_server/);

    const stats = await twixt.stats("routed");
    const ports = stats.backends.map(({ port }: { readonly port: string }) => Number(port));
    assert.deepEqual(ports, [b.port, a.port]);
    assert.equal(stats.refused.no_route, 1);
    assert.equal((await twixt.stats("named")).refused.no_route, 2);
  },
);

/** Says its name, then back what it has got. */
function mirror(name: string): TcpBackend {
  return new TcpBackend(async (conn) => {
    const got = await readAll(conn);
    await writeAll(conn, Uint8Array.of(name.charCodeAt(0), ...got));
  });
}

Deno.test("routes change by reload while clients connect: each is served by one pool or the other", async () => {
  await using stack = new AsyncDisposableStack();
  const [a, b] = [stack.use(mirror("a")), stack.use(mirror("b"))];
  const to = (pool: string) => ({
    ...API,
    workers: 2,
    servers: { web: { bind: BIND, routes: [{ match: { sni: "*.example" }, pool }] } },
    pools: { [pool]: list(pool === "a" ? a.port : b.port) },
  });
  await using twixt = await Twixt.start({ config: to("a") });
  const port = twixt.port("web");
  const hello = helloWith(serverNames("www.example"));
  const ask = async () => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await writeAll(conn, hello.subarray(0, 30));
    await writeAll(conn, hello.subarray(30));
    await conn.closeWrite();
    const answer = await readAll(conn);
    assert.deepEqual(answer.subarray(1), hello);
    return String.fromCharCode(answer[0]!);
  };
  let over = false;
  const clients = Array.from({ length: 4 }, async () => {
    const served: string[] = [];
    for (; !over; await pause(5)) served.push(await ask());
    return served;
  });
  for (const pool of ["b", "a", "b", "a", "b"]) {
    assert(await twixt.reload(to(pool)));
    assert.equal(await ask(), pool, "a reload that is reported holds");
  }
  over = true;
  const served = (await Promise.all(clients)).flat();
  assert.deepEqual([...new Set(served)].sort(), ["a", "b"]);
  const { refused, backends } = await twixt.stats("web");
  assert.deepEqual(Object.values(refused).filter((count) => count !== 0), []);
  assert.equal(backends.length, 1);
});
