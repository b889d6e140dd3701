/** `plaintext` and `json` at a real web server. */
import assert from "node:assert/strict";
import { json } from "../../discovery/json.ts";
import { plaintext } from "../../discovery/plaintext.ts";
import { runProgram } from "../../lib/host/program.ts";
import { backendKey } from "../../lib/model.ts";
import { fromFileUrl } from "../support/paths.ts";
import { needs } from "../support/real.ts";
import { Daemon, Folder, freePort, unprivileged } from "./_daemon.ts";

const options = needs(["nginx", "setpriv"]);
const context = { signal: new AbortController().signal, run: runProgram, skip: () => {} };
const CA = fromFileUrl(new URL("../fixtures/api/ca.pem", import.meta.url));

/** An nginx that has a folder's files by http, and by https; gzip and a login where asked. */
function configuration(path: string, [plain, secure]: readonly number[]): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
    daemon off;
    worker_processes 1;
    pid ${path}/nginx.pid;
    events { worker_connections 64; }
    http {
      access_log off;
      gzip on;
      gzip_min_length 1;
      ${temporary.map((name) => `${name}_temp_path ${path}/${name};`).join("\n")}
      server {
        listen 127.0.0.1:${plain};
        root ${path};
        location /moved { return 301 /list.json; }
        location /secure { return 302 https://127.0.0.1:${secure}/list.json; }
        location /login { auth_basic x; auth_basic_user_file ${path}/users; alias ${path}/list; }
      }
      server {
        listen 127.0.0.1:${secure} ssl;
        ssl_certificate ${path}/cert.pem;
        ssl_certificate_key ${path}/key.pem;
        root ${path};
        location /down { return 302 http://127.0.0.1:${plain}/list.json; }
      }
    }`;
}

Deno.test(
  "plaintext and json take lists from nginx: redirects, logins, TLS, refusals, its end",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await Folder.make());
    const ports = [freePort(), freePort()];
    for (const name of ["cert", "key"]) {
      const pem = new URL(`../fixtures/api/${name}.pem`, import.meta.url);
      await Deno.writeTextFile(`${path}/${name}.pem`, await Deno.readTextFile(pem));
    }
    await Deno.writeTextFile(`${path}/users`, "me:{PLAIN}secret\n");
    await Deno.writeTextFile(`${path}/list`, "10.0.0.1:80 weight=2\n[::1]:81\n");
    await Deno.writeTextFile(
      `${path}/list.json`,
      '{"hosts":[{"addr":{"host":"::1","port":"82"}}]}',
    );
    await Deno.writeTextFile(`${path}/nginx.conf`, configuration(path, ports));
    const argv = ["nginx", "-p", path, "-c", `${path}/nginx.conf`, "-e", "stderr"] as const;
    const nginx = await Daemon.start(unprivileged(argv), ports[1]!);
    const at = `http://127.0.0.1:${ports[0]}`;
    const lines = async (plaintext_endpoint: string) =>
      (await plaintext.find({ plaintext_endpoint }, context)).map(backendKey).join();
    const listed = async (json_endpoint: string, json_tls_cacert_path = CA) => {
      const asked = { json_endpoint, json_tls_cacert_path };
      return (await json.find(asked, context)).map(backendKey).join();
    };
    try {
      assert.equal(await lines(`${at}/list`), "10.0.0.1:80,[::1]:81");
      assert.equal(
        await lines(`http://me:secret@127.0.0.1:${ports[0]}/login`),
        "10.0.0.1:80,[::1]:81",
      );
      assert.equal(await listed(`${at}/moved`), "[::1]:82");
      assert.equal(await listed(`${at}/secure`), "[::1]:82");
      await assert.rejects(lines(`${at}/login`), { message: /status 401: give a login/ });
      await assert.rejects(lines(`${at}/none`), { message: /status 404: check the path/ });
      await assert.rejects(listed(`https://127.0.0.1:${ports[1]}/down`), {
        message: /to plain http/,
      });
      await assert.rejects(listed(`https://127.0.0.1:${ports[1]}/list.json`, ""), {
        message: /certificate|issuer/,
      });
    } finally {
      await nginx[Symbol.asyncDispose]();
    }
    await assert.rejects(lines(`${at}/list`), { message: `${at}/list: connection refused` });
  },
);
