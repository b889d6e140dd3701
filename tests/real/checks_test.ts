/** Checks of real servers: redis by probe, nginx by http and https. */
import assert from "node:assert/strict";
import { checkOnce } from "../support/checks.ts";
import { fromFileUrl } from "../support/paths.ts";
import { needs } from "../support/real.ts";
import { Daemon, Folder, freePort, unprivileged } from "./_daemon.ts";

const pem = (name: string) => fromFileUrl(new URL(`../fixtures/api/${name}.pem`, import.meta.url));

Deno.test(
  "redis: a probe says PING and hears PONG",
  needs(["redis-server", "setpriv"]),
  async () => {
    await using folder = await Folder.make();
    const port = freePort();
    const settings = ["--bind", "127.0.0.1", "--save", "", "--dir", folder.path];
    const argv = unprivileged(["redis-server", "--port", port, ...settings]);
    await using _redis = await Daemon.start(argv, port);
    const probe = { kind: "probe", probe_protocol: "tcp", probe_send: String.raw`PING\r\n` };
    const passed = { passed: true, text: "answered as expected" };
    const pong = String.raw`+PONG\r\n`;
    assert.deepEqual(await checkOnce(port, { ...probe, probe_recv: pong }), passed);
    const info = { probe_send: String.raw`INFO replication\r\n`, probe_strategy: "regexp" };
    const role = (name: string) =>
      checkOnce(port, {
        ...{ ...probe, ...info, probe_recv: `(?m)^role:${name}\\r?$`, probe_recv_len: 4_096 },
      }, 1_000);
    assert.deepEqual(await role("master"), passed);
    assert.match((await role("slave")).text, /^answered .*expected a match of/);
  },
);

Deno.test(
  "nginx: http and https checks see status, body and certificate",
  needs(["nginx", "setpriv"]),
  async () => {
    await using folder = await Folder.make();
    const { path } = folder;
    const [plain, secure] = [freePort(), freePort()];
    for (const name of ["cert", "key"]) await Deno.copyFile(pem(name), `${path}/${name}.pem`);
    await Deno.chmod(`${path}/key.pem`, 0o644); // nginx runs as nobody here
    await Deno.writeTextFile(`${path}/health`, "status: all is well\n");
    await Deno.writeTextFile(`${path}/large`, "x".repeat(50 * 1024 * 1024));
    await Deno.writeTextFile(`${path}/nginx.conf`, configuration(path, plain, secure));
    const argv = ["nginx", "-p", path, "-c", `${path}/nginx.conf`, "-e", "stderr"] as const;
    await using _nginx = await Daemon.start(unprivileged(argv), secure);
    const passed = { passed: true, text: "status 200" };
    assert.equal(
      (await checkOnce(plain, { kind: "http", http_path: "/none" })).text,
      "status 404, expected 200-399",
    );
    assert.deepEqual(
      await checkOnce(plain, { kind: "http", http_path: "/large", http_body_contains: "x" }),
      passed,
    );
    assert.deepEqual(
      await checkOnce(plain, { kind: "http", http_path: "/health", http_method: "HEAD" }),
      passed,
    );
    const matches = { http_path: "/health", http_body_matches: "(?m)^status: .* well$" };
    assert.deepEqual(await checkOnce(plain, { kind: "http", ...matches }), passed);
    const ca = { http_tls_cacert_path: pem("ca") };
    assert.deepEqual(await checkOnce(secure, { kind: "https", ...matches, ...ca }), passed);
    assert.deepEqual(
      await checkOnce(secure, { kind: "https", ...matches, http_tls_insecure: true }),
      passed,
    );
    assert.equal(
      (await checkOnce(secure, { kind: "https", ...matches })).passed,
      false,
      "nobody knows its authority",
    );
    const plainText = await checkOnce(secure, { kind: "http" });
    assert.equal(plainText.text, "status 400, expected 200-399", "plain HTTP on a TLS port");
    assert.equal(
      (await checkOnce(plain, { kind: "https", http_tls_insecure: true })).passed,
      false,
    );
  },
);

function configuration(path: string, plain: number, secure: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
    daemon off;
    worker_processes 1;
    pid ${path}/nginx.pid;
    events { worker_connections 256; }
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${path}/${name};`).join("\n")}
      server { listen 127.0.0.1:${plain}; root ${path}; }
      server {
        listen 127.0.0.1:${secure} ssl;
        ssl_certificate ${path}/cert.pem;
        ssl_certificate_key ${path}/key.pem;
        root ${path};
      }
    }`;
}
