/** Certificates by ACME from Pebble. */
import assert from "node:assert/strict";
import { acmeFolder } from "../../lib/acme/files.ts";
import { newKey, selfSigned } from "../../lib/net/self_signed.ts";
import { connect as tlsConnect } from "node:tls";
import { greeter, TcpBackend, writeAll } from "../support/backends.ts";
import { certificate } from "../support/certificates.ts";
import { testByDenoRun } from "../support/host.ts";
import { needs, run } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { runTwixt, Twixt } from "../support/twixt.ts";
import { freePort } from "./_daemon.ts";
import { Pebble } from "./_pebble.ts";

const { ignore } = needs(["pebble", "pebble-challtestsrv", "openssl", "curl"]);
/** An executable made on an old runtime doesn't verify the authority. */
const options = { ignore, timeout: 90_000 };

const DAY_MS = 86_400_000;

function acmeOf(pebble: Pebble, cache_dir: string): Record<string, unknown> {
  return {
    ...{ directory: pebble.directory, ca_cert_path: pebble.ca, cache_dir },
    ...{ http_bind: `127.0.0.1:${pebble.httpPort}`, email: "a@b.test" },
  };
}

function configOf(
  acme: Record<string, unknown>,
  backend: TcpBackend,
  tls: Record<string, unknown>,
  servers: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    ...{ workers: 2, api: { enabled: true, bind: "127.0.0.1:0" }, acme },
    servers: { web: staticServer([backend], { protocol: "tls", tls }), ...servers },
  };
}

/** What a client that trusts only this authority gets by this name; throws where it doesn't take the certificate. */
async function ask(twixt: Twixt, name: string, ca: string, server = "web"): Promise<string> {
  const port = twixt.port(server);
  const at = ["--resolve", `${name}:${port}:127.0.0.1`, "--cacert", ca, "--http0.9"];
  return await run(["curl", "-sS", "-m", 2, "-N", ...at, `https://${name}:${port}/`]);
}

const issued = (host: string) => (line: { msg: string; [key: string]: unknown }) =>
  line.msg === "certificate issued" && line["host"] === host;

testByDenoRun(
  "a server gets a certificate for each host, and keeps them over a restart; others have theirs",
  options,
  async () => {
    await using pebble = await Pebble.start();
    await using folder = new TemporaryFolder();
    await using backend = greeter("served");
    const root = await pebble.root(folder.path);
    const file = await certificate(folder.path, "file");
    const cache = `${folder.path}/cache`;
    const filed = staticServer([backend], {
      ...{ protocol: "tls", tls: { cert_path: file.cert, key_path: file.key } },
    });
    const config = configOf(
      acmeOf(pebble, cache),
      backend,
      { acme_hosts: ["a.test", "B.test"] },
      { filed },
    );
    {
      await Deno.writeTextFile(`${folder.path}/twixt.json`, JSON.stringify(config));
      const checked = await runTwixt(["check", `${folder.path}/twixt.json`]);
      assert.equal(checked.code, 0, checked.err); // before there is any certificate
      await using twixt = await Twixt.start({ config });
      assert.equal(await ask(twixt, "localhost", file.ca, "filed"), "served");
      for (const host of ["a.test", "b.test"]) await twixt.logged(issued(host));
      await twixt.logged(({ msg }) => msg === "certificates renewed");
      await served(() => ask(twixt, "a.test", root));
      await served(() => ask(twixt, "b.test", root));
      await assert.rejects(ask(twixt, "c.test", root), /certificate|SSL/);
      assert.equal(await ask(twixt, "localhost", file.ca, "filed"), "served");
      const plain = await fetch(`http://127.0.0.1:${pebble.httpPort}/x?y`, {
        redirect: "manual",
        headers: { host: "a.test" },
      });
      assert.equal(plain.status, 301);
      assert.match(plain.headers.get("location")!, /^https:\/\/[^/]+\/x\?y$/);
      await plain.body?.cancel();
    }
    const kept = acmeFolder(cache, pebble.directory);
    assert.equal((await Deno.stat(kept)).mode! & 0o777, 0o700);
    for await (const { name } of Deno.readDir(kept)) {
      assert.equal((await Deno.stat(`${kept}/${name}`)).mode! & 0o777, 0o600, name);
    }
    await using again = await Twixt.start({ config });
    assert.equal(await ask(again, "a.test", root), "served");
    assert.equal(await ask(again, "b.test", root), "served");
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.equal(again.lines.filter(({ msg }) => msg === "certificate issued").length, 0);
  },
);

/** Until a client takes the certificate: files are looked at every other second. */
async function served(ask: () => Promise<string>): Promise<void> {
  const end = performance.now() + 15_000;
  for (;;) {
    try {
      assert.equal(await ask(), "served");
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** A session that goes on, whatever the certificate is. */
async function session(twixt: Twixt) {
  const socket = tlsConnect({ port: twixt.port("web"), rejectUnauthorized: false });
  const next = () =>
    new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
  assert.equal(await next(), "served");
  const exchange = async (text: string) => {
    socket.write(text);
    return await next();
  };
  return { socket, exchange };
}

testByDenoRun("a certificate is renewed in time, and no session is hurt", options, async () => {
  await using pebble = await Pebble.start();
  await using folder = new TemporaryFolder();
  await using backend = new TcpBackend(async (conn) => {
    await writeAll(conn, new TextEncoder().encode("served"));
    const buffer = new Uint8Array(1000);
    for (let length; (length = await conn.read(buffer)) !== null;) {
      if (new TextDecoder().decode(buffer.subarray(0, 3)) === "GET") return;
      await writeAll(conn, buffer.subarray(0, length));
    }
  });
  const root = await pebble.root(folder.path);
  const cached = acmeFolder(`${folder.path}/cache`, pebble.directory);
  await Deno.mkdir(cached, { recursive: true, mode: 0o700 });
  const key = newKey();
  const old = selfSigned(key, {
    ...{ name: "old", host: "a.test", serial: Uint8Array.of(1) },
    notBefore: new Date(Date.now() - 80 * DAY_MS),
    notAfter: new Date(Date.now() + 10 * DAY_MS),
  });
  await Deno.writeTextFile(`${cached}/a.test.pem`, `${key}${old}`, { mode: 0o600 });
  const acme = acmeOf(pebble, `${folder.path}/cache`);
  await using twixt = await Twixt.start({
    config: configOf(acme, backend, { acme_hosts: ["a.test"] }),
  });
  const early = await session(twixt);
  await twixt.logged(issued("a.test"));
  await served(() => ask(twixt, "a.test", root));
  const renewed = twixt.lines.find(issued("a.test"))!;
  assert(Date.parse(String(renewed["renewal"])) > Date.now() + DAY_MS);
  assert(Date.parse(String(renewed["not_after"])) > Date.parse(String(renewed["renewal"])));
  assert.equal(await early.exchange("still here"), "still here");
  early.socket.destroy();
});

testByDenoRun(
  "an authority that can't be reached, or can't reach us, costs nobody anything but the new certificate",
  options,
  async () => {
    await using pebble = await Pebble.start();
    await using folder = new TemporaryFolder();
    await using backend = greeter("served");
    const file = await certificate(folder.path, "file");
    const tls = { acme_hosts: ["a.test"], cert_path: file.cert, key_path: file.key };
    const failed = ({ msg }: { msg: string }) => msg === "no certificate could be had";
    const elsewhere = {
      ...acmeOf(pebble, `${folder.path}/1`),
      http_bind: `127.0.0.1:${freePort()}`,
    };
    const nobody = { ...acmeOf(pebble, `${folder.path}/2`), directory: "https://127.0.0.1:1/dir" };
    const untrusted = { ...acmeOf(pebble, `${folder.path}/3`), ca_cert_path: file.ca };
    for (
      const [acme, wanted] of [
        [elsewhere, /acme-challenge.*refused/],
        [nobody, /ECONNREFUSED|refused/],
        [untrusted, /certificate|verify/],
      ] as const
    ) {
      await using twixt = await Twixt.start({ config: configOf(acme, backend, tls) });
      const { why, retry_in_s } = await twixt.logged(failed, 60_000);
      assert.match(String(why), wanted);
      assert(Number(retry_in_s) >= 60 && Number(retry_in_s) <= 120, String(retry_in_s));
      assert.equal(await ask(twixt, "localhost", file.ca), "served");
      await assert.rejects(ask(twixt, "a.test", file.ca));
    }
  },
);
