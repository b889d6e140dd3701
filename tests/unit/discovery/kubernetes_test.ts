import assert from "node:assert/strict";
import fc from "fast-check";
import { Following } from "../../../discovery/_kubernetes_api.ts";
import { addressOfNode, nodeOfPod, readService } from "../../../discovery/_kubernetes_nodes.ts";
import { readSlice, sliceBackends } from "../../../discovery/_kubernetes_slices.ts";
import { kubernetesIn, type KubernetesOptions } from "../../../discovery/kubernetes.ts";
import { WatchRefusedError } from "../../../lib/errors.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { type Backend, backendKey } from "../../../lib/model.ts";
import { until } from "../../support/backends.ts";
import { certificate } from "../../support/certificates.ts";
import { fixture, fixtureEvents, KubernetesServer, status } from "../../support/kubernetes_api.ts";
import { needs } from "../../support/real.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";
const FIRST = [
  "10.244.1.7:8080",
  "10.244.2.11:8080",
  "10.244.2.12:8080",
  "[fd00:10:244:3::5]:8080",
];
const options = { ...needs(["openssl"]), timeout: 30_000 };

const keys = (backends: readonly Backend[]) => backends.map(backendKey).sort();

/** What a service's slices lead to, and what was skipped. */
function backendsOf(slices: readonly unknown[], port?: string | number) {
  const skipped: string[] = [];
  const skip = (entry: string, why: string) => void skipped.push(`${entry}: ${why}`);
  const backends = sliceBackends(slices.map(readSlice), port, skip);
  return { found: keys(backends), skipped };
}

Deno.test("slices: ready endpoints alone, one backend a pod, by name or number of the port", () => {
  const { items } = fixture("slices.json");
  assert.deepEqual(backendsOf(items, "http"), { found: FIRST, skipped: [] });
  assert.deepEqual(backendsOf(items, 8080).found, FIRST);
  assert.deepEqual(backendsOf(items, "8080").found, FIRST);
  assert.equal(backendsOf(items, "metrics").found[0], "10.244.1.7:9090");
});

Deno.test("slices: a port that nobody has fails, and says which there are", () => {
  const { items } = fixture("slices.json");
  const offered = "http (8080), metrics (9090)";
  assert.throws(() => backendsOf(items, 80), {
    name: "DiscoveryError",
    message: `the service's endpoints have no port 80; they have ${offered}`,
  });
  assert.throws(() => backendsOf(items), {
    message: `the service has ports ${offered}; name one in kubernetes_port`,
  });
  assert.deepEqual(backendsOf([], 80).found, [], "no endpoints is no mistake");
});

Deno.test("slices: one without the port, with strange addresses or of another type is skipped alone", () => {
  const ports = [{ name: "http", port: 80 }];
  const endpoints = [{ addresses: ["10.0.0.1"] }];
  const slice = (name: string, more: object) => ({
    ...{ metadata: { name }, addressType: "IPv4", ports, endpoints },
    ...more,
  });
  const { found, skipped } = backendsOf([
    slice("good", {}),
    slice("portless", { ports: [{ name: "other", port: 1 }], endpoints }),
    slice("named", { addressType: "FQDN" }),
    slice("strange", { endpoints: [{ addresses: ["no address"] }, { addresses: [] }, null] }),
    slice("any", { ports: [{ name: "", port: null }], endpoints: [{ addresses: ["10.0.0.2"] }] }),
    null,
  ], 80);
  assert.deepEqual(found, ["10.0.0.1:80", "10.0.0.2:80"]);
  assert.deepEqual(skipped.map((line) => line.split(":")[0]).sort(), [
    ...["slice named", "slice portless", "slice strange"],
  ]);
});

Deno.test("slices: whatever the API sends is read without a throw", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    readSlice(value);
    nodeOfPod(value);
    addressOfNode(value);
  }));
});

Deno.test("Following: after any events it is what they have left, in the version of the last", () => {
  const event = fc.record({
    type: fc.constantFrom("ADDED", "MODIFIED", "DELETED", "BOOKMARK"),
    name: fc.constantFrom("a", "b", "c"),
    version: fc.nat().map(String),
  });
  fc.assert(fc.property(fc.array(event), (events) => {
    const state = new Following([{ metadata: { name: "a" } }], "1", (object) => object);
    const names = new Set(["a"]);
    for (const { type, name, version } of events) {
      const news = state.take(
        JSON.stringify({ type, object: { metadata: { name, resourceVersion: version } } }),
      );
      assert.equal(news, type === "BOOKMARK" ? "same" : "changed");
      if (type === "DELETED") names.delete(name);
      else if (type !== "BOOKMARK") names.add(name);
      assert.equal(state.version, version);
    }
    assert.deepEqual([...state.objects.keys()].sort(), [...names].sort());
  }));
});

Deno.test("nodeport: awe4lb's vector gives three nodes at the node port", () => {
  assert.deepEqual(readService(fixture("service.json"), 8080), {
    nodePort: 30080,
    selector: "app=web,tier=front",
  });
  assert.equal(readService(fixture("service.json"), "grpc").nodePort, 30257);
  assert.deepEqual(
    fixture("pods.json").items.map(nodeOfPod),
    ["node-a", "node-b", "node-c", "node-c", "", "", "", ""],
  );
  assert.deepEqual(fixture("nodes.json").items.slice(0, 3).map(addressOfNode), [
    ...["172.16.3.249", "172.16.3.133", "172.16.3.193"],
  ]);
});

Deno.test("nodeport: a service that can't be had this way says why", () => {
  const service = fixture("service.json");
  assert.throws(() => readService(service, 81), {
    message: "the service has no port 81; it has grpc (26257), http (8080)",
  });
  const spec = { type: "ClusterIP", ports: [{ port: 80 }], selector: { app: "x" } };
  assert.throws(() => readService({ spec }, 80), /of type ClusterIP: nodes have no port for it/);
  const bare = { ports: [{ port: 80, nodePort: 30_000 }] };
  assert.throws(() => readService({ spec: bare }, undefined), /has no selector/);
});

/** An API server with the fixtures, and the discovery as a pod of its cluster has it. */
async function setUp({ limitMs = 5_000, watchMs = 60_000 } = {}) {
  const stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(new TemporaryFolder());
  const tls = await certificate(folder);
  await Deno.copyFile(tls.ca, `${folder}/ca.crt`);
  await Deno.writeTextFile(`${folder}/token`, "first\n");
  await Deno.writeTextFile(`${folder}/namespace`, "shop");
  const server = stack.use(await KubernetesServer.start(tls));
  server.token = "first";
  server.objects.set(SLICES, fixture("slices.json"));
  server.objects.set("/api/v1/namespaces/shop/services/web", fixture("service.json"));
  server.objects.set("/api/v1/namespaces/shop/pods", fixture("pods.json"));
  for (const node of fixture("nodes.json").items) {
    server.objects.set(`/api/v1/nodes/${node.metadata.name}`, node);
  }
  const env: Record<string, string> = {
    KUBERNETES_SERVICE_HOST: "127.0.0.1",
    KUBERNETES_SERVICE_PORT: String(server.port),
  };
  const kind = kubernetesIn({
    ...{ folder, env: (name) => env[name] },
    ...{ limitMs, watchMs, retryMs: 20 },
  });
  const stop = new AbortController();
  const context = { signal: stop.signal, run: runProgram, skip: () => {} };
  const optionsOf = (more: Partial<KubernetesOptions> = {}): KubernetesOptions => ({
    ...{ kubernetes_api: "", kubernetes_namespace: "", kubernetes_service: "web" },
    ...{ kubernetes_port: "http", kubernetes_mode: "endpoints", kubernetes_token_path: "" },
    ...{ kubernetes_ca_path: "", kubernetes_insecure: false },
    ...more,
  });
  const find = async (more?: Partial<KubernetesOptions>) =>
    keys(await kind.find(optionsOf(more), context));
  /** Lists as they are told of; `ended` is how it ends. */
  const watch = (more?: Partial<KubernetesOptions>) => {
    const lists: string[][] = [];
    const ended = (async () => {
      try {
        for await (const list of kind.watch!(optionsOf(more), context)) lists.push(keys(list));
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    })();
    ended.catch(() => {});
    const shows = (wanted: readonly string[]) =>
      until(() => JSON.stringify(lists.at(-1)) === JSON.stringify(wanted), 5_000, wanted.join())
        .catch((error) => assert.fail(`${error.message}; it is ${lists.at(-1)}`));
    const watched = (count: number) =>
      until(() => server.asked.filter((url) => url.includes("watch=1")).length >= count, 5_000);
    return { lists, ended, shows, watched };
  };
  stack.defer(() => stop.abort());
  return { stack, folder, server, find, watch, stop, tls };
}

Deno.test(
  "kubernetes: in a cluster it needs no more than the service's name",
  options,
  async () => {
    const { stack, server, find } = await setUp();
    await using _stack = stack;
    assert.deepEqual(await find(), FIRST);
    const selector = "labelSelector=kubernetes.io%2Fservice-name%3Dweb";
    assert.deepEqual(server.asked, [`${SLICES}?${selector}&limit=50`]);
    server.page = 1;
    assert.deepEqual(await find(), FIRST, "in several answers");
    assert.equal(server.asked.length, 4);
  },
);

Deno.test(
  "kubernetes: added, modified, deleted and bookmarked slices are followed",
  options,
  async () => {
    const { stack, server, watch, stop } = await setUp();
    await using _stack = stack;
    const { shows, watched, ended } = watch();
    await shows(FIRST);
    await watched(1);
    const [added, modified, deleted, bookmark, gone] = fixtureEvents();
    server.say(added);
    await shows([...FIRST.slice(0, 3), "10.244.5.2:8080", FIRST[3]!]);
    server.say(modified);
    await shows([...FIRST.slice(0, 3), "10.244.2.9:8080", "10.244.5.2:8080", FIRST[3]!]);
    server.say(deleted);
    await shows(["10.244.1.7:8080", "10.244.2.9:8080", "10.244.5.2:8080", FIRST[3]!]);
    server.say(bookmark);
    await new Promise((resolve) => setTimeout(resolve, 50)); // that it has been read shows nowhere
    server.end("end");
    await watched(2);
    assert.match(
      server.asked.at(-1)!,
      /&resourceVersion=40200&allowWatchBookmarks=true&timeoutSeconds=60$/,
    );
    assert.equal(server.asked.filter((url) => !url.includes("watch=1")).length, 1, "one list");
    server.say(gone);
    await shows(FIRST);
    await watched(3);
    assert.match(server.asked.at(-1)!, /&resourceVersion=40110&/);
    stop.abort();
    await ended;
    await until(() => server.watches === 0, 5_000, "the end of the last watch");
  },
);

Deno.test.each([
  {
    how: "410 as status",
    act: (server: KubernetesServer) => {
      server.say(fixtureEvents()[3]); // else it would be no watch at all
      server.end("end");
    },
  },
  { how: "410 as event", act: (server: KubernetesServer) => server.say(fixtureEvents()[4]) },
  { how: "a broken connection", act: (server: KubernetesServer) => server.end("break") },
  { how: "garbage", act: (server: KubernetesServer) => server.say("<html>") },
  { how: "an event without a version", act: (server: KubernetesServer) => server.say({}) },
])("kubernetes: after $how the list is asked for again", options, async ({ how, act }) => {
  const { stack, server, watch, stop } = await setUp();
  await using _stack = stack;
  const { shows, watched, ended } = watch();
  await shows(FIRST);
  await watched(1);
  if (how === "410 as status") server.nextWatches.push(status(410, "too old resource version"));
  const list = fixture("slices.json");
  server.objects.set(SLICES, { ...list, items: list.items.slice(0, 1) });
  act(server);
  await shows(["10.244.1.7:8080"]);
  stop.abort();
  await ended;
});

Deno.test(
  "kubernetes: a server that hangs is left, and one that can't stream is asked again",
  options,
  async () => {
    const { stack, server, watch, stop } = await setUp({ limitMs: 1_500, watchMs: 100 });
    await using _stack = stack;
    for (let i = 0; i < 3; i++) server.nextWatches.push({ code: 200, body: "" });
    const { watched, ended } = watch();
    await watched(5); // the fourth is open, and silent for longer than the server was asked for
    assert.equal(server.asked.filter((url) => !url.includes("watch=1")).length, 5);
    stop.abort();
    await ended;
  },
);

Deno.test(
  "kubernetes: the token's file is read each time; one that isn't taken is told of",
  options,
  async () => {
    const { stack, server, folder, find, watch } = await setUp();
    await using _stack = stack;
    server.token = "second";
    await assert.rejects(find(), {
      name: "DiscoveryError",
      message: `Kubernetes at 127.0.0.1:${server.port}: it doesn't take the token in ` +
        `${folder}/token; it has expired, or is another cluster's`,
    });
    await Deno.writeTextFile(`${folder}/token`, "second\n");
    assert.deepEqual(await find(), FIRST);
    const { shows, watched, lists } = watch();
    await shows(FIRST);
    await watched(1);
    server.token = "third"; // it expires while a watch goes on
    await Deno.writeTextFile(`${folder}/token`, "third\n");
    server.end("break");
    await watched(2);
    await until(() => lists.length === 2, 5_000, "the list with the new token");
    await Deno.writeTextFile(`${folder}/token`, "\n");
    await assert.rejects(find(), /the token file \S+ holds no token$/);
  },
);

Deno.test(
  "kubernetes: a certificate of another authority is refused, unless told otherwise",
  options,
  async () => {
    const { stack, server, folder, find } = await setUp();
    await using _stack = stack;
    const other = await certificate(folder, "other");
    await assert.rejects(
      find({ kubernetes_ca_path: other.ca }),
      /Kubernetes at \S+: .*certificate/,
    );
    assert.deepEqual(server.asked, [], "nobody has seen the token");
    assert.deepEqual(
      await find({ kubernetes_ca_path: other.ca, kubernetes_insecure: true }),
      FIRST,
    );
    await assert.rejects(find({ kubernetes_ca_path: `${folder}/none` }), /none does not exist$/);
  },
);

Deno.test(
  "kubernetes: what it may not see, and what isn't there, is said",
  options,
  async () => {
    const { stack, server, find, watch } = await setUp();
    await using _stack = stack;
    await assert.rejects(find({ kubernetes_namespace: "other" }), /status 404: not found$/);
    await assert.rejects(
      find({ kubernetes_mode: "nodeport", kubernetes_service: "none" }),
      { message: 'there is no service "none" in namespace "shop"' },
    );
    server.nextWatches.push(status(403, 'endpointslices is forbidden: cannot "watch"'));
    const { ended, lists } = watch();
    await assert.rejects(ended, WatchRefusedError);
    await assert.rejects(
      ended,
      /forbidden: endpointslices is forbidden: .*; its role needs get, list and watch for endpointslices$/,
    );
    assert.deepEqual(lists, [FIRST]);
  },
);

Deno.test(
  "kubernetes: nodeport gives nodes of running pods, and follows pods, service and nodes",
  options,
  async () => {
    const { stack, server, find, watch, stop } = await setUp();
    await using _stack = stack;
    const nodeport = { kubernetes_mode: "nodeport", kubernetes_port: 8080 } as const;
    const nodes = ["172.16.3.133:30080", "172.16.3.193:30080", "172.16.3.249:30080"];
    assert.deepEqual(await find(nodeport), nodes);
    const { shows, watched, ended, lists } = watch(nodeport);
    await shows(nodes);
    await watched(1);
    assert.match(server.asked.find((url) => url.includes("/pods"))!, /=app%3Dweb%2Ctier%3Dfront/);
    const [pod] = fixture("pods.json").items;
    const event = (type: string, node: string, version: string) => ({
      ...{ type },
      object: {
        ...pod,
        metadata: { ...pod.metadata, resourceVersion: version },
        spec: { ...pod.spec, nodeName: node },
      },
    });
    const asked = server.asked.length;
    server.say(event("MODIFIED", "node-a", "50000"), event("MODIFIED", "node-d", "50001"));
    const moved = ["172.16.3.133:30080", "172.16.3.193:30080", "172.16.3.7:30080"];
    await shows(moved);
    assert.equal(
      server.asked.length,
      asked + 4,
      "service and nodes are asked for only where pods moved",
    );
    const service = fixture("service.json");
    service.spec.ports[1].nodePort = 31_000;
    server.objects.set("/api/v1/namespaces/shop/services/web", service);
    server.end("end");
    await shows(moved.map((key) => key.replace("30080", "31000")));
    assert.equal(lists.length, 3);
    stop.abort();
    await ended;
  },
);
