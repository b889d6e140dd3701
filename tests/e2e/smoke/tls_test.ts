import assert from "node:assert/strict";
import { greeter, readAll } from "../../support/backends.ts";
import { Authority } from "../../support/certificates.ts";
import { needs } from "../../support/real.ts";
import { staticServer } from "../../support/static_server.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import { runTwixt, Twixt } from "../../support/twixt.ts";

const options = { ...needs(["openssl"]), timeout: 30_000 };

Deno.test(
  "a client is served by TLS; check and start refuse pairs that don't belong together",
  options,
  async () => {
    await using folder = new TemporaryFolder();
    const authority = await Authority.make(folder.path);
    const a = await authority.issue("a", { names: ["localhost"] });
    const b = await authority.issue("b", { names: ["localhost"], days: 3 });
    await using backend = greeter("hello");
    const configOf = (cert_path: string, key_path: string) => ({
      servers: { web: { ...staticServer([backend]), tls: { cert_path, key_path } } },
    });
    const file = `${folder.path}/twixt.json`;
    const check = async (cert: string, key: string) => {
      await Deno.writeTextFile(file, JSON.stringify(configOf(cert, key)));
      return await runTwixt(["check", file]);
    };
    const good = await check(a.cert, a.key);
    assert.deepEqual([good.code, good.err], [0, ""]);
    const soon = await check(b.cert, b.key);
    assert.equal(soon.code, 0);
    assert.match(soon.err, /^warning: .*: servers\.web\.tls\.cert_path: .*b\.pem expires on /);
    const mixed = await check(a.cert, b.key);
    assert.equal(mixed.code, 2);
    const wrong = `servers.web.tls.key_path: ${b.key} is not the key of ${a.cert}`;
    assert(mixed.err.includes(wrong), mixed.err);
    const started = await runTwixt(["-c", file]);
    assert.equal(started.code, 2);
    assert((started.out + started.err).includes(wrong), started.out + started.err);
    const missing = await check(a.cert, `${folder.path}/none`);
    assert.equal(missing.code, 2);
    assert.match(missing.err, /servers\.web\.tls\.key_path: .*none does not exist\n/);

    await using twixt = await Twixt.start({ config: configOf(a.cert, a.key) });
    using client = await Deno.connectTls({
      hostname: "localhost",
      port: twixt.port("web"),
      caCerts: [await Deno.readTextFile(authority.ca)],
    });
    assert.equal(new TextDecoder().decode(await readAll(client)), "hello");
  },
);
