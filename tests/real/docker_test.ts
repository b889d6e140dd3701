/** Backends from a real Docker daemon whose containers come and go. */
import assert from "node:assert/strict";
import { byDenoRun } from "../support/host.ts";
import { z } from "zod";
import { docker as kind, type DockerOptions } from "../../discovery/docker.ts";
import { runProgram } from "../../lib/host/program.ts";
import type { Backend } from "../../lib/model.ts";
import { until } from "../support/backends.ts";
import { needs, run } from "../support/real.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";
import { Docker, DOCKER_PROGRAMS, saying } from "./_docker.ts";
import { freePort } from "./_daemon.ts";

const found = needs([...DOCKER_PROGRAMS, "openssl"]);
if (!found.ignore && Deno.uid() !== 0) {
  const why = "these tests start Docker, which only root can";
  if (Deno.env.get("TWIXT_REQUIRE_REAL") === "1") throw new Error(why);
  console.warn(`skipped: ${why}`);
}
const options = { ignore: found.ignore || Deno.uid() !== 0, timeout: 300_000 };
/** Within which a change must be seen, while the interval is an hour. */
const SOON_MS = 5_000;

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
          discovery: {
            ...{ kind: "docker", docker_container_private_port: 80, interval: "1h" },
            ...keys,
          },
        },
      },
    },
  });
}

type Shown = { readonly host: string; readonly port: string; readonly weight: number };

async function backends(twixt: Twixt): Promise<string[]> {
  const { backends } = await twixt.stats("web");
  return backends.map((one: Shown) => `${one.host}:${one.port} ${one.weight}`).sort();
}

/** Resolves when Twixt has these, `host:port weight`, and clients reach each of these names. */
async function follows(twixt: Twixt, list: readonly string[], names: readonly string[]) {
  const wanted = [...list].sort().join();
  let seen = "";
  const same = async () => (seen = (await backends(twixt)).join()) === wanted;
  await until(same, SOON_MS, `${wanted}`).catch((error) => {
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

Deno.test(
  "docker: containers that start, stop and pause are followed within 5 s",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const docker = stack.use(await Docker.start());
    const [one, two, three] = [freePort(), freePort(), freePort()];
    const web = ["--label", "app=web"];
    await docker.serve("one", ...web, "-p", `${one}:80`);
    const twixt = stack.use(
      await balanced({ docker_endpoint: docker.endpoint, docker_container_label: "app=web" }),
    );
    await follows(twixt, [`127.0.0.1:${one} 1`], ["one"]);
    await docker.serve("two", ...web, "-p", `127.0.0.1:${two}:80`, "--label", "twixt.weight=3");
    await docker.serve("other", "-p", `${three}:80`);
    await follows(twixt, [`127.0.0.1:${one} 1`, `127.0.0.1:${two} 3`], ["one", "two"]);
    await docker.do("pause", "two");
    await follows(twixt, [`127.0.0.1:${one} 1`], ["one"]);
    await docker.do("unpause", "two");
    await docker.do("kill", "one");
    await follows(twixt, [`127.0.0.1:${two} 3`], ["two"]);
    await docker.do("start", "one");
    await follows(twixt, [`127.0.0.1:${one} 1`, `127.0.0.1:${two} 3`], ["one", "two"]);
    await docker.serve("hidden", ...web);
    await twixt.logged(({ examples }) =>
      /^hidden: its port 80\/tcp isn't publ/.test(`${examples}`)
    );
    const open = await twixt.descriptors();
    for (let i = 0; i < 5; i++) {
      await docker.do("restart", "-t", "0", "two");
      await follows(twixt, [`127.0.0.1:${one} 1`, `127.0.0.1:${two} 3`], ["one", "two"]);
    }
    await twixt.descriptorsReturn(open);
  },
);

if (byDenoRun) {
  Deno.test(
    "docker: the last list serves clients while the daemon is dead, and is followed after",
    options,
    async () => {
      await using stack = new AsyncDisposableStack();
      const docker = stack.use(await Docker.start(["--tls=false", "--live-restore"]));
      await docker.do("network", "create", "--subnet", "10.213.7.0/24", "back");
      const at = (last: number) => ["--network", "back", "--ip", `10.213.7.${last}`];
      const web = ["--label", "app=web"];
      const twixt = stack.use(
        await balanced({
          docker_endpoint: `tcp://127.0.0.1:${docker.port}`,
          docker_container_label: "app",
          docker_address: "network",
          docker_network: "back",
        }),
      );
      await docker.serve("one", ...web, ...at(11));
      await docker.serve("two", ...web, ...at(12));
      await docker.serve("three", ...web);
      const two = ["10.213.7.11:80 1", "10.213.7.12:80 1"];
      await follows(twixt, two, ["one", "two"]);
      await docker.do("network", "connect", "--ip", "10.213.7.13", "back", "three");
      await follows(twixt, [...two, "10.213.7.13:80 1"], ["one", "three", "two"]);
      await docker.do("network", "disconnect", "back", "three");
      await follows(twixt, two, ["one", "two"]);

      await docker.kill();
      const failed = await twixt.logged((line) => line.msg === "discovery failed", SOON_MS);
      assert.match(String(failed.why), /^Docker at tcp:\/\/127\.0\.0\.1:\d+: /);
      await follows(twixt, two, ["one", "two"]);
      await docker.restart();
      await docker.do("rm", "-f", "two");
      // it asks again after 1, 2, 4 … 30 s
      await until(async () => (await backends(twixt)).length === 1, 40_000, "the list without two");
      await docker.serve("four", ...web, ...at(14));
      await until(async () => (await backends(twixt)).length === 2, 20_000, "the list with four");
      await docker.do("rm", "-f", "four");
      await follows(twixt, ["10.213.7.11:80 1"], ["one"]);
    },
  );
}

Deno.test(
  "docker: with docker_healthy_only a container counts while its healthcheck passes",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const docker = stack.use(await Docker.start());
    const twixt = stack.use(
      await balanced({ docker_endpoint: docker.endpoint, docker_healthy_only: true }),
    );
    const [plain, checked] = [freePort(), freePort()];
    const health = ["--health-cmd", "test -e /ok", "--health-interval", "300ms"];
    await docker.serve("checked", "-p", `${checked}:80`, ...health, "--health-retries", "1");
    await docker.serve("plain", "-p", `${plain}:80`);
    await follows(twixt, [`127.0.0.1:${plain} 1`], ["plain"]);
    const both = [`127.0.0.1:${plain} 1`, `127.0.0.1:${checked} 1`];
    await docker.do("exec", "checked", "/bin/busybox", "touch", "/ok");
    await follows(twixt, both, ["checked", "plain"]);
    await docker.do("exec", "checked", "/bin/busybox", "rm", "/ok");
    await follows(twixt, [`127.0.0.1:${plain} 1`], ["plain"]);
  },
);

/** Asks the kind once, as its loop would. */
async function find(keys: Partial<DockerOptions>): Promise<readonly Backend[]> {
  const given = { docker_container_private_port: 80, ...keys };
  const stop = new AbortController();
  const context = { signal: stop.signal, run: runProgram, skip: () => {} };
  return await kind.find(z.object(kind.shape).parse(given) as DockerOptions, context);
}

/** An authority `NAME-ca.pem`, and `NAME.pem` with `NAME.key` for 127.0.0.1 from it. */
async function certificates(folder: string, name: string): Promise<void> {
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
  await run([
    "sh",
    "-ec",
    `cd ${folder}
    openssl req -x509 ${key} -subj "/CN=authority ${name}" -days 2 -keyout ${name}-ca.key -out ${name}-ca.pem \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
    openssl req ${key} -subj /CN=127.0.0.1 -keyout ${name}.key -out ${name}.csr
    printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\nextendedKeyUsage=serverAuth,clientAuth\\n' >${name}.ext
    openssl x509 -req -in ${name}.csr -CA ${name}-ca.pem -CAkey ${name}-ca.key -CAcreateserial -days 2 \
      -extfile ${name}.ext -out ${name}.pem`,
  ]);
}

if (byDenoRun) {
  Deno.test("docker: a daemon's certificate is verified, and it gets ours", options, async () => {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(new TemporaryFolder());
    await certificates(path, "own");
    await certificates(path, "alien");
    const docker = stack.use(
      await Docker.start([
        ...["--tlsverify", "--tlscacert", `${path}/own-ca.pem`],
        ...["--tlscert", `${path}/own.pem`, "--tlskey", `${path}/own.key`],
      ]),
    );
    const port = freePort();
    await docker.serve("one", "-p", `${port}:80`);
    const ours = {
      docker_endpoint: `tcp://127.0.0.1:${docker.port}`,
      docker_tls_enabled: true,
      docker_tls_cert_path: `${path}/own.pem`,
      docker_tls_key_path: `${path}/own.key`,
    };
    const trusting = { ...ours, docker_tls_cacert_path: `${path}/own-ca.pem` };
    const twixt = stack.use(await balanced(trusting));
    await follows(twixt, [`127.0.0.1:${port} 1`], ["one"]);
    await docker.do("kill", "one");
    await until(async () => (await backends(twixt)).length === 0, SOON_MS);
    await docker.do("start", "one");

    assert.equal((await find(trusting)).length, 1);
    assert.equal((await find({ ...ours, docker_tls_insecure: true })).length, 1);
    const https = { ...trusting, docker_endpoint: `https://127.0.0.1:${docker.port}` };
    assert.equal((await find({ ...https, docker_tls_enabled: false })).length, 1);
    const advice = /docker_tls_cacert_path.*docker_tls_insecure = true/;
    await assert.rejects(find(ours), advice);
    await assert.rejects(
      find({ ...ours, docker_tls_cacert_path: `${path}/alien-ca.pem` }),
      advice,
    );
    const nameless = { ...trusting, docker_tls_cert_path: "", docker_tls_key_path: "" };
    await assert.rejects(find(nameless), /wants a certificate of ours/);
    const plain = { ...ours, docker_tls_enabled: false };
    await assert.rejects(find(plain), /status 400.*HTTPS/);
  });
}

if (byDenoRun) {
  Deno.test("docker: a service of a swarm is followed as it is scaled", options, async () => {
    await using stack = new AsyncDisposableStack();
    const docker = stack.use(await Docker.start());
    await docker.do("swarm", "init", "--advertise-addr", "127.0.0.1");
    const twixt = stack.use(
      await balanced({ docker_endpoint: docker.endpoint, docker_service: "web" }),
    );
    const failed = await twixt.logged((line) => line.msg === "discovery failed");
    assert.match(String(failed.why), /service web not found/);
    await docker.do(
      ...["service", "create", "--name", "web", "--replicas", "3", "--label", "twixt.weight=4"],
      ...["--publish", "mode=host,target=80", ...saying("task")],
    );
    const tasks = async (count: number) => {
      const list = async () => (await backends(twixt)).filter((one) => /^127.*:\d+ 4$/.test(one));
      await until(async () => (await list()).length === count, SOON_MS, `a list of ${count}`);
      // a task runs before its program listens
      const all = async () => (await reached(twixt)).join() === "task";
      await until(all, SOON_MS, "each task's answer");
    };
    // it didn't exist at first, so it is asked again after 1, 2, 4 … s
    await until(async () => (await backends(twixt)).length === 3, 40_000, "the first list").catch(
      async (e) => {
        throw new Error(
          `${e} ${await backends(twixt)}\n${twixt.text()} ${await docker.do(
            "service",
            "ps",
            "web",
          )}`,
        );
      },
    );
    await tasks(3);
    await docker.do("service", "scale", "web=1");
    await tasks(1);
    await docker.do("service", "scale", "web=4");
    await tasks(4);
  });
}
