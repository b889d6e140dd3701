import assert from "node:assert/strict";
import fc from "fast-check";
import {
  containersIn,
  type Instance,
  type Service,
  type Skip,
  tasksIn,
} from "../../../discovery/_docker_answers.ts";
import { parseEndpoint } from "../../../discovery/_docker_api.ts";
import { backendsOf, hasLabel, type Wanted } from "../../../discovery/_docker_backends.ts";
import { labelled } from "../../../discovery/_labels.ts";
import { backendKey } from "../../../lib/model.ts";
import { fromFileUrl } from "../../support/paths.ts";

const WANTED: Wanted = {
  ...{ privatePort: 80, protocol: "tcp", address: "published", network: "", named: true },
  hostVariable: "",
};

/** A recorded answer. */
async function fixture(name: string): Promise<unknown[]> {
  const url = new URL(`../../fixtures/docker/${name}.json`, import.meta.url);
  return JSON.parse(await Deno.readTextFile(fromFileUrl(url)));
}

/** Backends as `host:port`, and what was skipped. */
function made(
  read: (skip: Skip) => readonly Instance[],
  wanted = {},
) {
  const skipped: string[] = [];
  const skip = (entry: string, why: string) => void skipped.push(`${entry}: ${why}`);
  const found = read(skip).flatMap((one) => backendsOf(one, { ...WANTED, ...wanted }, skip));
  return { found, keys: found.map(backendKey), skipped };
}

const NAMELESS: Omit<Service, "name"> = {
  ...{ labels: {}, ports: [], containers: [] },
  nodes: new Map([["m45gtovhs6tnwmpmhyejs32k5", "10.1.1.1"]]),
};

const instance = (more: Partial<Instance>): Instance => ({
  ...{ id: "1", name: "c", labels: {}, mappings: [], networks: [], node: "10.9.9.9", env: [] },
  ...more,
});
const mapping = (ip: string, publicPort: number, protocol = "tcp") => ({
  ...{ ip, publicPort, privatePort: 80, protocol },
});

Deno.test("containersIn() and backendsOf() take published tcp ports, IPv4 once, and say why others aren't", async () => {
  const rows = await fixture("containers");
  const { found, skipped } = made((skip) => containersIn(rows, "10.2.2.2", skip));
  assert.deepEqual(found, [{
    ...{ host: "10.2.2.2", port: 18080, weight: 3, priority: 1, maxConnections: 0 },
    sni: "one.example",
  }]);
  const hint =
    'isn\'t published on its host; publish it, or take its own address by docker_address = "network"';
  assert.deepEqual(skipped, [
    "four: it is paused",
    `five: its port 80/tcp ${hint}`,
    'three: its label twixt.weight is "heavy", no number from 0',
    `two: its port 80/tcp ${hint}`,
  ]);
});

Deno.test("backendsOf() takes udp ports when it is told to", async () => {
  const rows = (await fixture("containers")).map((row) => ({ ...row as object, Labels: {} }));
  const wanted = { protocol: "udp", privatePort: 53 };
  assert.deepEqual(made((skip) => containersIn(rows, "h", skip), wanted).keys, ["h:18053"]);
});

Deno.test("backendsOf() takes addresses in a network: the first, or one by name or id", async () => {
  const rows = await fixture("containers");
  const of = (wanted: Partial<Wanted>) =>
    made((skip) => containersIn(rows, "h", skip), { address: "network", ...wanted });
  assert.deepEqual(of({}).keys, ["172.19.0.2:80", "172.17.0.2:80"]);
  const { keys, skipped } = of({ network: "back" });
  assert.deepEqual(keys, ["172.19.0.2:80"]);
  assert.ok(skipped.includes('one: it isn\'t in network "back"'));
  const back = (rows[3] as { NetworkSettings: { Networks: { back: { NetworkID: string } } } })
    .NetworkSettings.Networks.back.NetworkID;
  assert.deepEqual(of({ network: back }).keys, keys);
  const nameless = of({ named: false, privatePort: 81 });
  assert.equal(nameless.keys.length, 0);
  assert.match(nameless.skipped.join(), /two: it doesn't expose port 81; label the containers/);
});

Deno.test("tasksIn() takes a service's tasks by their addresses in its network, with its labels", async () => {
  const rows = await fixture("tasks_network");
  const service = { ...NAMELESS, name: "web", labels: { "twixt.weight": "5" } };
  const { found, keys } = made((skip) => tasksIn(rows, service, skip), { address: "network" });
  assert.deepEqual(keys, ["10.0.1.3:80", "10.0.1.5:80", "10.0.1.4:80"]);
  assert.deepEqual(found.map(({ weight }) => weight), [5, 5, 5]);
  const labels = tasksIn(rows, service, () => {}).map((one) => hasLabel(one.labels, "cl=1"));
  assert.deepEqual(labels, [true, true, true]);
});

Deno.test("tasksIn() takes ports that are published in host mode, on the address of the node", async () => {
  const rows = await fixture("tasks_published");
  const service = { ...NAMELESS, name: "pub", ports: [18090] };
  assert.deepEqual(made((skip) => tasksIn(rows, service, skip)).keys, ["10.1.1.1:18090"]);
});

Deno.test("tasksIn() dials no random port of which nobody tells whether it is that for IPv4", async () => {
  const [row] = await fixture("tasks_published") as [
    { Status: { ContainerStatus: { ContainerID: string }; PortStatus: { Ports: object[] } } },
  ];
  const { Ports } = row.Status.PortStatus;
  Ports[1] = { ...Ports[1], PublishedPort: 18091 };
  const service = { ...NAMELESS, name: "pub" };
  const { keys, skipped } = made((skip) => tasksIn([row], service, skip));
  assert.deepEqual(keys, []);
  assert.match(skipped.join(), /^pub\.1\.qf.*nobody tells which of its random ports for 80\/tcp/);
  const chosen = { ...service, ports: [18090, 18091] };
  assert.equal(made((skip) => tasksIn([row], chosen, skip)).keys.length, 2);
  const known = instance({
    id: row.Status.ContainerStatus.ContainerID,
    mappings: [mapping("0.0.0.0", 18091), mapping("::", 18090)],
  });
  const local = { ...service, containers: [known] };
  assert.deepEqual(made((skip) => tasksIn([row], local, skip)).keys, ["10.1.1.1:18091"]);
});

Deno.test.each([
  {
    what: "a port of all addresses",
    mappings: [mapping("0.0.0.0", 1), mapping("::", 1)],
    keys: ["10.9.9.9:1"],
  },
  {
    what: "random ports",
    mappings: [mapping("::", 2), mapping("0.0.0.0", 1)],
    keys: ["10.9.9.9:1"],
  },
  {
    what: "one address of each",
    mappings: [mapping("::1", 1), mapping("127.0.0.1", 1)],
    keys: ["127.0.0.1:1"],
  },
  { what: "IPv6 alone", mappings: [mapping("fd00::1", 1)], keys: ["[fd00::1]:1"] },
  {
    what: "two ports",
    mappings: [mapping("", 1), mapping("0.0.0.0", 2)],
    keys: ["10.9.9.9:1", "10.9.9.9:2"],
  },
  {
    what: "one of them udp",
    mappings: [mapping("", 1, "udp"), mapping("", 2)],
    keys: ["10.9.9.9:2"],
  },
])("backendsOf() makes of $what $keys", ({ mappings, keys }) => {
  assert.deepEqual(made(() => [instance({ mappings })]).keys, keys);
});

Deno.test("backendsOf() dials ::1 where a local daemon publishes for IPv6 alone", () => {
  const local = instance({ node: "127.0.0.1", mappings: [mapping("::", 1)] });
  assert.deepEqual(made(() => [local]).keys, ["[::1]:1"]);
});

Deno.test("backendsOf() takes the host from a variable where the container has it", () => {
  const mappings = [mapping("0.0.0.0", 1)];
  const of = (...env: string[]) =>
    made(() => [instance({ mappings, env })], { hostVariable: "HOST" });
  assert.deepEqual(of("X=1", "HOST=web.example").keys, ["web.example:1"]);
  assert.deepEqual(of("HOST=[fd00::2]").keys, ["[fd00::2]:1"]);
  assert.deepEqual(of("HOST=", "HOSTS=2").keys, ["10.9.9.9:1"]);
  const { keys, skipped } = of("HOST=a b");
  assert.deepEqual(keys, []);
  assert.deepEqual(skipped, ['c: "a b" is no host']);
});

Deno.test("labelled() reads labels, and says which is wrong", () => {
  const all = { "twixt.weight": "0", "twixt.priority": "2", "twixt.max_connections": "9" };
  assert.deepEqual(labelled({ ...all, sni: "a", "twixt.sni": "b" }), {
    ...{ weight: 0, priority: 2, maxConnections: 9, sni: "b" },
  });
  for (const bad of ["", "-1", "1.5", "2147483648", "1e3"]) {
    assert.match(String(labelled({ "twixt.priority": bad })), /^its label twixt\.priority is "/);
  }
});

Deno.test("hasLabel() asks for a key, or for a key and its value", () => {
  assert.ok(hasLabel({ a: "1" }, "a"));
  assert.ok(hasLabel({ a: "1=2" }, "a=1=2"));
  assert.ok(!hasLabel({ a: "1" }, "a="));
  assert.ok(!hasLabel({ a: "1" }, "toString"));
});

Deno.test("containersIn(), tasksIn() and backendsOf() make valid backends of anything, or none", () => {
  const json = fc.array(fc.oneof(
    fc.jsonValue(),
    fc.record({
      Id: fc.string(),
      ID: fc.string(),
      Labels: fc.dictionary(fc.constantFrom("twixt.weight", "sni", "x"), fc.string()),
      Ports: fc.array(fc.record({
        IP: fc.oneof(fc.constantFrom("0.0.0.0", "::", ""), fc.string()),
        PrivatePort: fc.constantFrom(80, 81),
        PublicPort: fc.integer({ min: -1, max: 70_000 }),
        Type: fc.constantFrom("tcp", "udp"),
      })),
      Status: fc.record({ State: fc.constantFrom("running", "x"), PortStatus: fc.jsonValue() }),
    }),
  ));
  fc.assert(fc.property(json, fc.constantFrom("published", "network"), (rows, address) => {
    const of = (skip: Skip) => [
      ...containersIn(rows, "host", skip),
      ...tasksIn(rows, { ...NAMELESS, name: "s" }, skip),
    ];
    for (const { host, port, weight } of made(of, { address }).found) {
      assert.ok(host !== "" && port >= 1 && port <= 65535 && weight >= 0 && weight < 2 ** 31);
    }
  }));
});

Deno.test.each([
  { text: "unix:///var/run/docker.sock", tls: true, url: "http://docker/", host: "127.0.0.1" },
  { text: "tcp://10.0.0.5:2375", tls: false, url: "http://10.0.0.5:2375/", host: "10.0.0.5" },
  { text: "tcp://10.0.0.5", tls: true, url: "https://10.0.0.5:2376/", host: "10.0.0.5" },
  {
    text: "http://docker.example:80/",
    tls: true,
    url: "https://docker.example:80/",
    host: "docker.example",
  },
  { text: "https://[fd00::1]:2376", tls: false, url: "https://[fd00::1]:2376/", host: "fd00::1" },
  { text: "http://localhost", tls: false, url: "http://localhost/", host: "localhost" },
  {
    text: "docker.example:2375",
    tls: false,
    url: "http://docker.example:2375/",
    host: "docker.example",
  },
])("parseEndpoint($text, $tls) leads to $url", ({ text, tls, url, host }) => {
  const parsed = parseEndpoint(text, tls);
  assert.ok(typeof parsed !== "string", String(parsed));
  assert.deepEqual([parsed.url.href, parsed.host, parsed.name], [url, host, text]);
});

Deno.test.each([
  { text: "", why: /is not an address and nothing else/ },
  { text: "unix://docker.sock", why: /has no path of a socket\nfor example/ },
  { text: "npipe:////./pipe/docker", why: /is not an endpoint of Docker/ },
  {
    text: "http://user:secret@host:2375",
    why: /^"http:\/\/…@host:2375" is not an address and nothing else/,
  },
  { text: "tcp://host:2375/v1.41", why: /is not an address and nothing else/ },
  { text: "tcp://host:0", why: /has no host or port/ },
  { text: "tcp://host:99999", why: /has no valid port/ },
])("parseEndpoint() refuses $text", ({ text, why }) => {
  assert.match(String(parseEndpoint(text, false)), why);
});
