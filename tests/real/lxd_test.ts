/** Backends from a real LXD whose containers come and go. */
import assert from "node:assert/strict";
import { z } from "zod";
import { lxd as kind, type LxdOptions } from "../../discovery/lxd.ts";
import { runProgram } from "../../lib/host/program.ts";
import { backendKey } from "../../lib/model.ts";
import { until } from "../support/backends.ts";
import { byDenoRun } from "../support/host.ts";
import { needs, run } from "../support/real.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";
import { Lxd, LXD_PROGRAMS } from "./_lxd.ts";

const found = needs([...LXD_PROGRAMS, "curl"]);
if (!found.ignore && Deno.uid() !== 0) {
  const why = "these tests start LXD, which only root can";
  if (Deno.env.get("TWIXT_REQUIRE_REAL") === "1") throw new Error(why);
  console.warn(`skipped: ${why}`);
}
const options = { ignore: found.ignore || Deno.uid() !== 0, timeout: 300_000 };
/** Within which a change must be seen, with an interval of half a second. */
const SOON_MS = 10_000;
const PASSWORD = "correct horse battery";

/** Twixt with one server whose backends are containers. */
async function balanced(keys: Record<string, unknown>): Promise<Twixt> {
  return await Twixt.start({
    config: {
      workers: 1,
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: {
        web: {
          bind: "127.0.0.1:0",
          balance: "roundrobin",
          discovery: { kind: "lxd", lxd_container_port: 80, interval: "500ms", ...keys },
        },
      },
    },
  });
}

type Shown = { readonly host: string; readonly port: string; readonly weight: number };

async function backends(twixt: Twixt): Promise<string> {
  const { backends } = await twixt.stats("web");
  return backends.map((one: Shown) => `${one.host}:${one.port} ${one.weight}`).sort().join();
}

/** Resolves when Twixt has these, `host:port weight`, and clients reach each of these names. */
async function follows(twixt: Twixt, list: readonly string[], names: readonly string[]) {
  const wanted = [...list].sort().join();
  let seen = "";
  const same = async () => (seen = await backends(twixt)) === wanted;
  await until(same, SOON_MS, wanted).catch((error) => {
    throw new Error(`${error}; there is ${seen}\n${twixt.text()}`);
  });
  await until(async () => (await reached(twixt)).join() === [...names].sort().join(), SOON_MS);
}

/** Who answers some clients. */
async function reached(twixt: Twixt): Promise<string[]> {
  const said = new Set<string>();
  for (let i = 0; i < 12; i++) {
    // a container that has just started isn't there at once
    const curl = `curl -s -m 2 http://127.0.0.1:${twixt.port("web")}/ || true`;
    said.add((await run(["sh", "-c", curl])).trim());
  }
  return [...said].sort();
}

/** Asks the kind once, as its loop would. */
async function ask(keys: Partial<LxdOptions>) {
  const stop = new AbortController();
  const skipped: string[] = [];
  const skip = (entry: string, why: string) => void skipped.push(`${entry}: ${why}`);
  const given = z.object(kind.shape).parse({ lxd_container_port: 80, ...keys }) as LxdOptions;
  const list = await kind.find(given, { signal: stop.signal, run: runProgram, skip });
  return { list, keys: list.map(backendKey).sort(), skipped };
}

const at = (last: number) => ({ "environment.ADDRESS": `10.213.9.${last}/24` });

Deno.test(
  "lxd: containers that start, stop and go are followed over the socket",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const lxd = stack.use(await Lxd.start());
    const web = { "user.app": "web" };
    await lxd.serve("one", { ...web, ...at(11) });
    const twixt = stack.use(
      await balanced({
        lxd_server_address: lxd.socket,
        lxd_container_label_key: "user.app",
        lxd_container_label_value: "web",
        lxd_container_port_key: "user.port",
      }),
    );
    const [one, two] = ["10.213.9.11:80 1", "10.213.9.12:8080 3"];
    await follows(twixt, [one], ["one"]);
    const more = { "user.port": "8080", "environment.PORT": "8080", "user.twixt.weight": "3" };
    await lxd.serve("two", { ...web, ...more, ...at(12) });
    await lxd.serve("other", { "user.app": "mail", ...at(13) });
    await lxd.serve("plain", at(14));
    await follows(twixt, [one, two], ["one", "two"]);

    await lxd.do("stop", "-f", "one");
    await follows(twixt, [two], ["two"]);
    await lxd.do("start", "one");
    await follows(twixt, [one, two], ["one", "two"]);
    await lxd.do("config", "set", "plain", "user.app", "web");
    await follows(twixt, [one, two, "10.213.9.14:80 1"], ["one", "plain", "two"]);
    await lxd.do("delete", "-f", "plain");
    await lxd.do("profile", "create", "web");
    await lxd.do("profile", "set", "web", "user.app", "web");
    await lxd.do("profile", "add", "other", "web"); // its own key comes before the profile's
    await lxd.serve("five", at(15), "-p", "default", "-p", "web");
    await follows(twixt, [one, two, "10.213.9.15:80 1"], ["five", "one", "two"]);

    await lxd.serve("bare", web);
    const why = /^bare: its interface "eth0" has no IPv4 address/;
    await twixt.logged(({ examples }) => why.test(`${examples}`), SOON_MS);
    await lxd.do("exec", "bare", "--", "ip", "addr", "add", "10.213.9.16/24", "dev", "eth0");
    const all = [one, two, "10.213.9.15:80 1", "10.213.9.16:80 1"];
    await follows(twixt, all, ["bare", "five", "one", "two"]);

    const open = await twixt.descriptors();
    await lxd.kill();
    const failed = await twixt.logged((line) => line.msg === "discovery failed", SOON_MS);
    assert.match(String(failed.why), /^LXD at unix:\/\/\/.*unix\.socket: /);
    await follows(twixt, all, ["bare", "five", "one", "two"]);
    await lxd.restart();
    await lxd.do("delete", "-f", "bare");
    await lxd.do("delete", "-f", "five");
    await follows(twixt, [one, two], ["one", "two"]);
    await twixt.descriptorsReturn(open);
  },
);

Deno.test(
  "lxd: interface, server name, family and limits come from a container's keys",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const lxd = stack.use(await Lxd.start());
    const socket = { lxd_server_address: lxd.socket };
    await lxd.serve("one", {
      ...at(11),
      ...{
        "user.sni": "one.example",
        "user.twixt.max_connections": "7",
        "user.twixt.priority": "2",
      },
    });
    await lxd.serve("two", { ...at(12), "user.port": "none", "user.interface": "eth7" });
    const named = { ...socket, lxd_container_sni_key: "user.sni" };
    // a container takes its address a moment after its start
    await until(async () => (await ask(named)).list.length === 2, SOON_MS, "two addresses");
    const whole = await ask(named);
    const [one, two] = whole.list.toSorted((a, b) => a.host < b.host ? -1 : 1);
    const first = { host: "10.213.9.11", port: 80, weight: 1, priority: 2 };
    assert.deepEqual(one, { ...first, maxConnections: 7, sni: "one.example" });
    const second = { host: "10.213.9.12", port: 80, weight: 1, priority: 1 };
    assert.deepEqual(two, { ...second, maxConnections: 0, sni: "" });
    const port = await ask({ ...socket, lxd_container_port_key: "user.port" });
    assert.deepEqual(port.keys, ["10.213.9.11:80"]);
    assert.deepEqual(port.skipped, ['two: its user.port is "none", no port']);
    const wire = await ask({ ...socket, lxd_container_interface_key: "user.interface" });
    assert.deepEqual(wire.keys, ["10.213.9.11:80"]);
    assert.deepEqual(wire.skipped, ['two: it has no interface "eth7"; it has eth0']);
    const six = async () => (await ask({ ...socket, lxd_container_address_type: "IPv6" })).list;
    await until(async () => (await six()).length === 2, SOON_MS, "two addresses");
    for (const { host } of await six()) assert.match(host, /^fd00:213:9:/);
    const twixt = stack.use(await balanced({ ...socket, lxd_container_address_type: "IPv6" }));
    // the other one's priority is 2
    await until(async () => (await reached(twixt)).join() === "two", SOON_MS, "two by IPv6");
  },
);

/** The mode of a file. */
async function modeOf(path: string): Promise<string> {
  return ((await Deno.stat(path)).mode! & 0o777).toString(8);
}

if (byDenoRun) {
  Deno.test(
    "lxd: over HTTPS both sides' certificates are wanted, ours is made and made known",
    options,
    async () => {
      await using stack = new AsyncDisposableStack();
      const lxd = stack.use(await Lxd.start());
      const { path } = stack.use(new TemporaryFolder());
      await lxd.serve("one", at(11));
      const folder = `${path}/own/lxc`;
      const bare = {
        lxd_server_address: await lxd.overHttps(PASSWORD),
        lxd_config_directory: folder,
      };
      const keys = { ...bare, lxd_generate_client_certs: true };
      const trusting = { ...keys, lxd_accept_server_cert: true };
      const filed = `${folder}/servercerts/local.crt`;

      await assert.rejects(
        ask(bare),
        /there is no .*client\.crt to show; lxd_generate_client_certs/,
      );
      await assert.rejects(ask(keys), /self-signed certificate; .*lxd_accept_server_cert = true/);
      assert.equal(await modeOf(`${folder}/client.key`), "600");
      assert.equal(await modeOf(folder), "700");
      const made = await Deno.readTextFile(`${folder}/client.crt`);
      await assert.rejects(
        ask(trusting),
        /doesn't trust our certificate; give lxd_server_remote_p/,
      );
      const own = await Deno.readTextFile(`${lxd.directory}/server.crt`);
      assert.equal((await Deno.readTextFile(filed)).trim(), own.trim());
      const wrong = { ...trusting, lxd_server_remote_password: "incorrect" };
      await assert.rejects(ask(wrong), (error: Error) => {
        assert.match(
          error.message,
          /didn't take our certificate and password \(status 403\); check/,
        );
        assert(!error.message.includes("incorrect"));
        return true;
      });
      const secret = { ...trusting, lxd_server_remote_password: PASSWORD };
      assert.deepEqual((await ask(secret)).keys, ["10.213.9.11:80"]);
      const known = async () => await lxd.do("config", "trust", "list", "-f", "csv");
      assert.equal((await known()).split("\n").length, 1);
      assert.match(await known(), /client,twixt,/);

      // from now on neither password nor permission to accept is needed
      assert.deepEqual((await ask(bare)).keys, ["10.213.9.11:80"]);
      const twixt = stack.use(await balanced(secret));
      await follows(twixt, ["10.213.9.11:80 1"], ["one"]);
      await lxd.do("stop", "-f", "one");
      await until(async () => await backends(twixt) === "", SOON_MS, "nobody");
      await lxd.do("start", "one");
      await follows(twixt, ["10.213.9.11:80 1"], ["one"]);
      assert.equal((await known()).split("\n").length, 1);
      assert.equal(await Deno.readTextFile(`${folder}/client.crt`), made);
      assert.match(
        await (await twixt.api("/servers/web")).text(),
        /"lxd_server_remote_password": "\*+"/,
      );
      assert(!JSON.stringify(twixt.lines).includes(PASSWORD));
      assert(!await (await twixt.api("/dump")).text().then((text) => text.includes(PASSWORD)));

      // another certificate of the same server
      await lxd.kill();
      for (const file of ["server.crt", "server.key"]) {
        await Deno.remove(`${lxd.directory}/${file}`);
      }
      await lxd.restart();
      await assert.rejects(
        ask(secret),
        /it isn't the certificate in .*local\.crt: it has been changed/,
      );
      await twixt.logged(({ why }) => /isn't the certificate in/.test(`${why}`), SOON_MS);
      await follows(twixt, ["10.213.9.11:80 1"], ["one"]); // keeplast
      assert.equal((await Deno.readTextFile(filed)).trim(), own.trim());
      await Deno.remove(filed);
      assert.deepEqual((await ask(secret)).keys, ["10.213.9.11:80"]);
      assert.notEqual((await Deno.readTextFile(filed)).trim(), own.trim());
    },
  );

  Deno.test(
    "lxd: a token does in place of the password; an authority's certificate isn't filed",
    options,
    async () => {
      await using stack = new AsyncDisposableStack();
      const lxd = stack.use(await Lxd.start());
      const { path } = stack.use(new TemporaryFolder());
      await lxd.serve("one", at(11));
      const address = await lxd.overHttps(PASSWORD);
      const said = await lxd.do("config", "trust", "add", "--name", "balancer");
      const keys = {
        lxd_server_address: address,
        lxd_config_directory: path,
        lxd_generate_client_certs: true,
        lxd_accept_server_cert: true,
        lxd_server_remote_password: said.split("\n").at(-1)!,
      };
      await Deno.copyFile(`${lxd.directory}/server.crt`, `${path}/client.ca`);
      assert.deepEqual((await ask(keys)).keys, ["10.213.9.11:80"]);
      await assert.rejects(Deno.stat(`${path}/servercerts`), Deno.errors.NotFound);
      assert.match(await lxd.do("config", "trust", "list", "-f", "csv"), /client,balancer,/);
      await lxd.do("config", "trust", "remove", await fingerprint(lxd));
      await assert.rejects(ask(keys), /didn't take our certificate and password/); // it was for once
    },
  );
}

async function fingerprint(lxd: Lxd): Promise<string> {
  return JSON.parse(await lxd.do("config", "trust", "list", "-f", "json"))[0].fingerprint;
}
