/** TLS towards backends: what nginx, openssl and Twixt itself see of it. */
import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import { until } from "../support/backends.ts";
import { Authority, type IssueOptions } from "../support/certificates.ts";
import { testByDenoRun } from "../support/host.ts";
import { needs, run, runHashed } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";
import { bound, Daemon, Folder, freePort } from "./_daemon.ts";
import { startServers } from "./_nginx.ts";

const { ignore } = needs(["nginx", "curl", "openssl", "setpriv"]);
/** Twixt refuses it on old runtimes, which verify nobody. */
const verifying = { ignore, timeout: 60_000 };

/** A folder with an authority whose files every daemon may read, and what makes certificates in it. */
async function authority(stack: AsyncDisposableStack) {
  const { path } = stack.use(await Folder.make());
  const made = await Authority.make(path);
  const issue = async (name: string, options: IssueOptions) => {
    const pair = await made.issue(name, options);
    await Deno.chmod(pair.key, 0o644);
    return pair;
  };
  return { path, ca: made.ca, issue };
}

/** Twixt with a server whose backends speak TLS. */
async function start(
  stack: AsyncDisposableStack,
  backends: readonly (string | number)[],
  backends_tls: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<Twixt> {
  const list = backends.map((each) => typeof each === "number" ? `localhost:${each}` : each);
  return stack.use(
    await Twixt.start({
      config: {
        workers: 2,
        api: { enabled: true, bind: "127.0.0.1:0" },
        servers: { web: staticServer(list, { backends_tls, ...more }) },
      },
    }),
  );
}

/** What curl gets through it, empty where it gets no answer. */
async function get(twixt: Twixt, path = "/", args: readonly string[] = []): Promise<string> {
  const url = `http://127.0.0.1:${twixt.port("web")}${path}`;
  try {
    return await run(["curl", "-sSf", "-m", 10, ...args, url]);
  } catch {
    return "";
  }
}

testByDenoRun(
  "nginx sees our certificate, the name, the version, and a PROXY header ahead of TLS",
  verifying,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { path, ca, issue } = await authority(stack);
    const { cert, key } = await issue("backend", { names: ["localhost", "other.test"] });
    const ours = await issue("ours", { names: ["twixt.test"], keys: "rsa" });
    const [port, proxied] = [freePort(), freePort()];
    const common = `
    ssl_certificate ${cert}; ssl_certificate_key ${key};
    ssl_client_certificate ${ca}; ssl_verify_depth 3; ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;`;
    const says = "$ssl_client_s_dn $ssl_server_name $ssl_protocol";
    await startServers(stack, path, [
      `listen 127.0.0.1:${port} ssl; ${common} location / { return 200 "${says}"; }`,
      `listen 127.0.0.1:${proxied} ssl proxy_protocol; ${common}
     location / { return 200 "$proxy_protocol_addr $proxy_protocol_server_port"; }`,
    ], proxied);
    const tls = { root_ca_cert_path: ca, cert_path: ours.cert, key_path: ours.key };

    const plain = await start(stack, [port], tls);
    assert.equal(await get(plain), "CN=twixt.test localhost TLSv1.3");
    const named = { ...tls, server_name: "other.test", max_version: "tls1.2" };
    const other = await start(stack, [`127.0.0.1:${port}`], named);
    assert.equal(await get(other), "CN=twixt.test other.test TLSv1.2");
    for (const version of ["1", "2"]) {
      const introduced = await start(stack, [proxied], tls, { proxy_protocol: { version } });
      assert.equal(await get(introduced), `127.0.0.1 ${introduced.port("web")}`);
    }
    const without = await start(stack, [port], { root_ca_cert_path: ca });
    assert.equal(await get(without), "", "nginx wants a certificate");
  },
);

testByDenoRun(
  "50 MB go up and down through TLS on both sides, byte by byte",
  verifying,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { path, ca, issue } = await authority(stack);
    const { cert, key } = await issue("backend", { names: ["localhost"] });
    const port = freePort();
    const file = randomFillSync(new Uint8Array(50 << 20));
    await Deno.writeFile(`${path}/large`, file);
    await startServers(stack, path, [
      `listen 127.0.0.1:${port} ssl; ssl_certificate ${cert}; ssl_certificate_key ${key};
     client_max_body_size 0; root ${path};
     location /copy { dav_methods PUT; create_full_put_path on; }`,
    ], port);
    const twixt = await start(stack, [port], { root_ca_cert_path: ca }, {
      protocol: "tls",
      tls: { cert_path: cert, key_path: key },
    });
    const url = `https://localhost:${twixt.port("web")}`;
    const sha256 = createHash("sha256").update(file).digest("hex");
    const upload = (name: string) =>
      run(["curl", "-sSf", "--cacert", ca, "-T", `${path}/large`, `${url}/copy/${name}`]);
    const download = (name: string) =>
      runHashed(["curl", "-sSf", "--cacert", ca, `${url}/${name}`]);
    await Promise.all([upload("a"), upload("b")]);
    const got = await Promise.all(["large", "copy/a", "copy/b"].map(download));
    assert.deepEqual(got.map((each) => each.sha256), [sha256, sha256, sha256]);
    await until(
      async () => (await twixt.stats("web")).active_connections === 0,
      10_000,
      "all sessions have ended",
    );
  },
);

testByDenoRun(
  "who can't be verified serves nobody, and the log says why; who can is tried next",
  verifying,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { path, ca, issue } = await authority(stack);
    const stranger = await authority(stack);
    const pairs = {
      good: await issue("good", { names: ["localhost"] }),
      expired: await issue("expired", { names: ["localhost"], days: -1 }),
      "another name": await issue("another", { names: ["another.test"] }),
      "another authority": await stranger.issue("unknown", { names: ["localhost"] }),
    };
    const plain = freePort();
    const ports = Object.values(pairs).map(() => freePort());
    const servers = Object.entries(pairs).map(([name, { cert, key }], i) =>
      `listen 127.0.0.1:${ports[i]} ssl; ssl_certificate ${cert}; ssl_certificate_key ${key};
     location / { return 200 "${name}"; }`
    );
    await Deno.chmod(stranger.path, 0o755);
    await startServers(stack, path, [...servers, `listen 127.0.0.1:${plain};`], plain);
    const [good, ...bad] = ports as [number, ...number[]];
    const tls = { root_ca_cert_path: ca };
    const why = [
      /expired/i,
      /isn't for localhost, but for DNS:another.test/,
      /unable to verify|issuer/i,
    ];
    for (const [i, port] of [...bad, plain].entries()) {
      const twixt = await start(stack, [port], tls, { dial_attempts: 1 });
      assert.equal(await get(twixt), "");
      const { why: said } = await twixt.logged(({ msg }) => msg === "can't connect to a backend");
      assert.match(String(said), why[i] ?? /doesn't speak TLS/);
      assert.equal((await twixt.stats("web")).refused.no_backend, 1);
    }
    const all = await start(stack, [...bad, good], tls, { dial_attempts: 4 });
    for (let i = 0; i < 8; i++) assert.equal(await get(all), "good");
    const anybody = await start(stack, bad, { ignore_verify: true });
    const heard = new Set<string>();
    for (let i = 0; i < 6; i++) heard.add(await get(anybody));
    assert.deepEqual(heard, new Set(["expired", "another name", "another authority"]));
    await anybody.logged(({ msg }) => msg.includes("ignore_verify"));
  },
);

testByDenoRun("a new file of authorities is used by the next dial", verifying, async () => {
  await using stack = new AsyncDisposableStack();
  const first = await authority(stack);
  const second = await authority(stack);
  const { cert, key } = await second.issue("backend", { names: ["localhost"] });
  await Deno.chmod(second.path, 0o755);
  const port = freePort();
  await startServers(stack, first.path, [
    `listen 127.0.0.1:${port} ssl; ssl_certificate ${cert}; ssl_certificate_key ${key};
     location / { return 200 "served"; }`,
  ], port);
  const trusted = `${first.path}/trusted.pem`;
  const trust = async (ca: string) => {
    await Deno.copyFile(ca, `${trusted}.new`);
    await Deno.rename(`${trusted}.new`, trusted);
  };
  await trust(first.ca);
  const twixt = await start(stack, [port], { root_ca_cert_path: trusted });
  assert.equal(await get(twixt), "");
  await trust(second.ca);
  await twixt.logged(({ msg }) => msg === "certificates renewed");
  assert.equal(await get(twixt), "served");
  await Deno.writeTextFile(`${trusted}.new`, "nothing");
  await Deno.rename(`${trusted}.new`, trusted);
  await twixt.logged(({ msg }) => msg.startsWith("certificates can't be renewed"));
  assert.equal(await get(twixt), "served");
  await trust(first.ca); // as if the other one were revoked
  await twixt.loggedTimes(2, ({ msg }) => msg === "certificates renewed");
  assert.equal(await get(twixt), "");
});

testByDenoRun(
  "versions hold: an s_server of TLS 1.2 isn't spoken to by who wants 1.3",
  verifying,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { ca, issue } = await authority(stack);
    const { cert, key } = await issue("backend", { names: ["localhost"] });
    const port = freePort();
    const pair = ["-cert", cert, "-cert_chain", cert, "-key", key] as const;
    const server = ["openssl", "s_server", "-accept", port, ...pair, "-tls1_2", "-www"] as const;
    stack.use(await Daemon.start(bound(server), port));
    const tls = { root_ca_cert_path: ca };
    assert.match(await get(await start(stack, [port], tls)), /TLSv1\.2/);
    const strict = await start(stack, [port], { ...tls, min_version: "tls1.3" });
    assert.equal(await get(strict), "");
    const { why } = await strict.logged(({ msg }) => msg === "can't connect to a backend");
    assert.match(String(why), /version/i);
  },
);
