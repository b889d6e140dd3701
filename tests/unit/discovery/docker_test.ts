import assert from "node:assert/strict";
import { z } from "zod";
import { docker, type DockerOptions } from "../../../discovery/docker.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { backendKey } from "../../../lib/model.ts";
import { WebServer } from "../../support/web_server.ts";

const shape = z.object(docker.shape);

/** The kind's options for a daemon that a test plays. */
function optionsFor(server: WebServer, more: Record<string, unknown> = {}): DockerOptions {
  const own = { docker_endpoint: `tcp://${server.address}`, docker_container_private_port: 80 };
  return shape.parse({ ...own, ...more }) as DockerOptions;
}

function context(stop = new AbortController()) {
  const skipped: string[] = [];
  const skip = (entry: string, why: string) => void skipped.push(`${entry}: ${why}`);
  return { signal: stop.signal, run: runProgram, skip, stop, skipped };
}

const container = (Id: string, PublicPort: number) => ({
  ...{ Id, State: "running", Names: [`/${Id}`] },
  Ports: [{ IP: "0.0.0.0", PrivatePort: 80, PublicPort, Type: "tcp" }],
});

const pathOf = ({ url }: { readonly url: string }) => new URL(url).pathname;

Deno.test("docker asks for its label and for health, without a version, and takes an empty list", async () => {
  await using server = new WebServer(() => Response.json([]));
  const keys = { docker_container_label: "app=web", docker_healthy_only: true };
  assert.deepEqual(await docker.find(optionsFor(server, keys), context()), []);
  const url = new URL(server.requests[0]!.url);
  assert.equal(url.pathname, "/containers/json");
  const filters = JSON.parse(url.searchParams.get("filters")!);
  assert.deepEqual(filters, { label: ["app=web"], health: ["healthy", "none"] });
});

Deno.test("docker asks for the version that a daemon demands", async () => {
  await using server = new WebServer((request) => {
    if (pathOf(request) === "/v1.44/containers/json") return Response.json([container("a", 8080)]);
    const message = "client version 1.12 is too old. Minimum supported API version is 1.44, please";
    return Response.json({ message }, { status: 400 });
  });
  const found = await docker.find(optionsFor(server), context());
  assert.deepEqual(found.map(backendKey), ["127.0.0.1:8080"]);
});

Deno.test.each([
  {
    says: "status 500",
    answer: () => Response.json({ message: "boom" }, { status: 500 }),
    why: /status 500: boom$/,
  },
  {
    says: "status 403",
    answer: () => new Response("no\nway", { status: 403 }),
    why: /status 403: no\\x0away$/,
  },
  { says: "no JSON", answer: () => new Response("<html>"), why: /isn't JSON; is it Docker's API/ },
  { says: "an object", answer: () => Response.json({}), why: /isn't a list; is it Docker's API/ },
  { says: "null", answer: () => Response.json(null), why: /isn't a list/ },
])("docker fails where there is no usable answer: $says", async ({ answer, why }) => {
  await using server = new WebServer(answer);
  await assert.rejects(docker.find(optionsFor(server), context()), (error: Error) => {
    assert.equal(error.name, "DiscoveryError");
    assert.match(error.message, why);
    return true;
  });
});

Deno.test("docker asks containers for the variable; one that has gone meanwhile is left out", async () => {
  await using server = new WebServer((request) => {
    if (pathOf(request) === "/containers/a/json") {
      return Response.json({ Config: { Env: ["HOST=10.0.0.7"] } });
    }
    if (pathOf(request) !== "/containers/json") return Response.json({}, { status: 404 });
    return Response.json([container("a", 8080), container("b", 8081), 7]);
  });
  const asked = context();
  const options = optionsFor(server, { docker_container_host_env_var: "HOST" });
  assert.deepEqual((await docker.find(options, asked)).map(backendKey), ["10.0.0.7:8080"]);
  assert.deepEqual(asked.skipped, ["entry 3: it is no container"]);
});

Deno.test("docker takes the empty strings that gobetween's own types send", async () => {
  await using server = new WebServer(() => Response.json([]));
  const blank = {
    ...{ docker_container_label: "", docker_container_host_env_var: "", docker_tls_enabled: false },
    ...{ docker_tls_cert_path: "", docker_tls_key_path: "", docker_tls_cacert_path: "" },
  };
  assert.deepEqual(await docker.find(optionsFor(server, blank), context()), []);
});

Deno.test.each([
  { key: "docker_endpoint", value: "ftp://x", why: /ftp:.*is not an endpoint of Docker/ },
  { key: "docker_container_private_port", value: 0, why: /docker_container_private_port/ },
  { key: "docker_address", value: "overlay", why: /docker_address/ },
])("docker's configuration refuses $key = $value", ({ key, value, why }) => {
  const given = { docker_endpoint: "unix:///x", docker_container_private_port: 80, [key]: value };
  assert.match(String(shape.safeParse(given).error), why);
});

/** A daemon whose containers and events the test decides. */
class Daemon implements AsyncDisposable {
  containers = [container("a", 8080)];
  #events: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  readonly server: WebServer = new WebServer((request) => {
    if (pathOf(request) !== "/events") return Response.json(this.containers);
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#events = controller;
      },
      cancel: () => void (this.#events = undefined),
    });
    return new Response(body);
  });

  tell(): void {
    this.#events!.enqueue(new TextEncoder().encode('{"Type":"container","Action":"start"}\n'));
  }

  end(): void {
    this.#events?.close();
    this.#events = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    await this.server[Symbol.asyncDispose]();
  }
}

Deno.test("docker's watch lists at once, and after each event, until it is told to end", async () => {
  await using daemon = new Daemon();
  const asked = context();
  const lists: string[][] = [];
  for await (const list of docker.watch!(optionsFor(daemon.server), asked)) {
    lists.push(list.map(backendKey));
    if (lists.length === 3) asked.stop.abort();
    daemon.containers = [...daemon.containers, container("b", 8080 + lists.length)];
    if (lists.length < 3) { for (let i = 0; i < 50; i++) daemon.tell(); }
  }
  assert.deepEqual(lists.map((list) => list.length), [1, 2, 3]);
  assert.deepEqual(daemon.server.requests.map(pathOf).slice(0, 2), ["/events", "/containers/json"]);
  assert.equal(daemon.server.requests.length, 4, "50 events are one list");
});

Deno.test("docker's watch ends with its signal while it waits, and closes what it has opened", async () => {
  await using daemon = new Daemon();
  const asked = context();
  const lists = docker.watch!(optionsFor(daemon.server), asked)[Symbol.asyncIterator]();
  assert.equal((await lists.next()).done, false);
  const waiting = lists.next();
  asked.stop.abort();
  assert.equal((await waiting).done, true);
});

Deno.test("docker's watch may be left between two lists", async () => {
  await using daemon = new Daemon();
  for await (const list of docker.watch!(optionsFor(daemon.server), context())) {
    assert.equal(list.length, 1);
    break;
  }
});

Deno.test("docker's watch fails when the daemon ends the stream of events", async () => {
  await using daemon = new Daemon();
  const lists = docker.watch!(optionsFor(daemon.server), context())[Symbol.asyncIterator]();
  await lists.next();
  daemon.end();
  await assert.rejects(
    lists.next(),
    /^DiscoveryError: Docker at tcp:.*the stream of events has ended$/,
  );
});

Deno.test("docker's watch fails where there are no events", async () => {
  await using server = new WebServer(() => Response.json({ message: "no" }, { status: 403 }));
  const lists = docker.watch!(optionsFor(server), context())[Symbol.asyncIterator]();
  await assert.rejects(
    lists.next(),
    /\/events was answered with status 403: no; whatever forbids GET \/events has to allow it$/,
  );
});
