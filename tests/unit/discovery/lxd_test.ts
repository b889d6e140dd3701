import assert from "node:assert/strict";
import { z } from "zod";
import { backendsOf, type Wanted } from "../../../discovery/_lxd_containers.ts";
import { directoryOf, lxd, type LxdOptions } from "../../../discovery/lxd.ts";
import { discoveries } from "../../../discovery/registry.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { backendKey } from "../../../lib/model.ts";
import { kinds } from "../../support/kinds.ts";
import { fromFileUrl } from "../../support/paths.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import { type Answer, WebServer } from "../../support/web_server.ts";

const shape = z.object(lxd.shape);
const WANTED: Wanted = {
  ...{ labelKey: "", labelValue: "", port: 80, portKey: "", sniKey: "" },
  ...{ interface: "eth0", interfaceKey: "", family: "IPv4" },
};

/** A container that runs, with these addresses on eth0. */
function container(more: Record<string, unknown> = {}, addresses: unknown = [address()]) {
  const state = { network: { lo: {}, eth0: { addresses } } };
  return { name: "one", status: "Running", type: "container", config: {}, state, ...more };
}

function address(text = "10.0.0.1", family = "inet", scope = "global") {
  return { address: text, family, scope };
}

function listed(row: unknown, wanted: Partial<Wanted> = {}) {
  const skipped: string[] = [];
  const skip = (entry: string, why: string) => void skipped.push(`${entry}: ${why}`);
  const keys = backendsOf([row], { ...WANTED, ...wanted }, skip).map(backendKey);
  return { keys, skipped };
}

Deno.test.each([
  { what: "is stopped", row: container({ status: "Stopped" }) },
  { what: "is frozen", row: container({ status: "Frozen" }) },
  { what: "is a virtual machine", row: container({ type: "virtual-machine" }) },
  { what: "lacks the label", row: container(), wanted: { labelKey: "user.app" } },
  {
    what: "has another value of the label",
    row: container({ config: { "user.app": "mail" } }),
    wanted: { labelKey: "user.app", labelValue: "web" },
  },
  {
    what: "has the label empty where a value is wanted",
    row: container({ config: { "user.app": "" } }),
    wanted: { labelKey: "user.app", labelValue: "web" },
  },
])("lxd leaves a container that $what out without a word", ({ row, wanted }) => {
  assert.deepEqual(listed(row, wanted), { keys: [], skipped: [] });
});

const NONE = 'one: its interface "eth0" has no IPv4 address';
Deno.test.each([
  { what: "no address", row: container({}, []), why: NONE },
  { what: "addresses that are null", row: container({}, null), why: NONE },
  { what: "addresses of a wrong type", row: container({}, [7, null, "10.0.0.1"]), why: NONE },
  { what: "an empty address", row: container({}, [address("")]), why: NONE },
  { what: "a number for address", row: container({}, [{ ...address(), address: 7 }]), why: NONE },
  { what: "only IPv6", row: container({}, [address("fd00::1", "inet6")]), why: NONE },
  {
    what: "only a link's IPv6",
    row: container({}, [address(), address("fe80::1", "inet6", "link")]),
    wanted: { family: "IPv6" as const },
    why: 'one: its interface "eth0" has no IPv6 address',
  },
  {
    what: "another interface",
    row: container(),
    wanted: { interface: "eth1" },
    why: 'one: it has no interface "eth1"; it has eth0',
  },
  {
    what: "an interface of JavaScript's",
    row: container({ config: { "user.if": "constructor" } }),
    wanted: { interfaceKey: "user.if" },
    why: 'one: it has no interface "constructor"; it has eth0',
  },
  {
    what: "no state",
    row: container({ state: null }),
    why: 'one: it has no interface "eth0"; it has none that LXD knows of',
  },
  {
    what: "an address that is none",
    row: container({}, [address("10.0.0.1/24")]),
    why: /^one: its host ".*" is neither a name nor an address/,
  },
  {
    what: "no port",
    row: container(),
    wanted: { port: 0, portKey: "user.port" },
    why: "one: it has no user.port, and there is no lxd_container_port",
  },
  {
    what: "a port too high",
    row: container({ config: { "user.port": "65536" } }),
    wanted: { portKey: "user.port" },
    why: 'one: its user.port is "65536", no port',
  },
  {
    what: "an empty port",
    row: container({ config: { "user.port": "" } }),
    wanted: { portKey: "user.port" },
    why: 'one: its user.port is "", no port',
  },
  {
    what: "a weight that is none",
    row: container({ config: { "user.twixt.weight": "-1" } }),
    why: 'one: its label user.twixt.weight is "-1", no number from 0',
  },
  {
    what: "a server name with a blank",
    row: container({ config: { "user.sni": "a b" } }),
    wanted: { sniKey: "user.sni" },
    why: "one: its label sni has a blank in it",
  },
  { what: "no name", row: container({ name: 7 }), why: "entry 1: it is no container" },
  { what: "nothing at all", row: null, why: "entry 1: it is no container" },
  {
    what: "controls in its name",
    row: container({ name: "a\x1b[31m" }, []),
    why: 'a\\x1b[31m: its interface "eth0" has no IPv4 address',
  },
])("lxd skips a container with $what, and says so", ({ row, wanted, why }) => {
  const { keys, skipped } = listed(row, wanted);
  assert.deepEqual(keys, []);
  assert.equal(skipped.length, 1);
  if (typeof why === "string") assert.equal(skipped[0], why);
  else assert.match(skipped[0]!, why);
});

Deno.test("lxd takes the first address of the family, and what a container says before its profiles", () => {
  const addresses = [
    address("fe80::1", "inet6", "link"),
    address("fd00::1", "inet6"),
    address("10.0.0.1"),
    address("10.0.0.2"),
  ];
  const row = container({
    config: { "user.port": " 8080 " },
    expanded_config: { "user.port": "9090", "user.app": "web" },
  }, addresses);
  const wanted = { labelKey: "user.app", portKey: "user.port" };
  assert.deepEqual(listed(row, wanted).keys, ["10.0.0.1:8080"]);
  assert.deepEqual(listed(row, { ...wanted, family: "IPv6" }).keys, ["[fd00::1]:8080"]);
});

Deno.test.each([
  { key: "lxd_server_address", value: "", why: /is not LXD's address/ },
  { key: "lxd_server_address", value: "http://10.0.0.1:8443", why: /is not LXD's address/ },
  { key: "lxd_server_address", value: "https://10.0.0.1:8443/1.0", why: /is not LXD's address/ },
  { key: "lxd_server_address", value: "unix://socket", why: /no absolute path/ },
  { key: "lxd_server_remote_name", value: "../../etc/x", why: /no name of a file/ },
  { key: "lxd_server_remote_name", value: "..", why: /no name of a file/ },
  { key: "lxd_container_port", value: 65536, why: /lxd_container_port/ },
  { key: "lxd_container_address_type", value: "ipv4", why: /lxd_container_address_type/ },
])("lxd's configuration refuses $key = $value", ({ key, value, why }) => {
  assert.match(
    String(shape.safeParse({ lxd_server_address: "unix:///x", [key]: value }).error),
    why,
  );
});

Deno.test("lxd's configuration takes empty strings for what isn't given, as gobetween's own types send them", () => {
  const empty = [
    ...["server_remote_name", "server_remote_password", "config_directory", "container_label_key"],
    ...["container_label_value", "container_port_key", "container_interface"],
    ...["container_interface_key", "container_sni_key", "container_address_type"],
  ];
  const discovery = {
    ...{ kind: "lxd", lxd_server_address: "unix:///x", lxd_container_port: 80 },
    ...Object.fromEntries(empty.map((key) => [`lxd_${key}`, ""])),
  };
  const text = JSON.stringify({ servers: { web: { bind: ":3000", discovery } } });
  const loaded = loadConfig(text, {
    file: "x.json",
    format: "json",
    kinds: { ...kinds, discoveries },
  });
  assert.deepEqual(loaded.warnings, []);
  const options = loaded.config.pools.get("web")!.discoveries[0]!.options as LxdOptions;
  assert.equal(options.lxd_server_remote_name, "local");
  assert.equal(options.lxd_container_interface, "eth0");
  assert.equal(options.lxd_container_address_type, "IPv4");
});

Deno.test("lxd's configuration keeps a password in the address out of its message", () => {
  const { error } = shape.safeParse({ lxd_server_address: "https://me:secret@10.0.0.1" });
  assert.match(String(error), /is not LXD's address/);
  assert(!String(error).includes("secret"));
});

Deno.test.each([
  { written: "", home: "/home/a", is: "/home/a/.config/lxc" },
  { written: "~", home: "/home/a", is: "/home/a" },
  { written: "~/lxc/", home: "/home/a", is: "/home/a/lxc" },
  { written: "/etc/lxc", home: undefined, is: "/etc/lxc" },
  { written: "a~/b", home: undefined, is: "a~/b" },
])("directoryOf() of '$written' is $is", ({ written, home, is }) => {
  assert.equal(directoryOf(written, home), is);
});

Deno.test("directoryOf() says what to do where there is no home", () => {
  assert.throws(() => directoryOf("", undefined), /HOME isn't set; write lxd_config_directory/);
});

const pemFile = (name: string) =>
  fromFileUrl(new URL(`../../fixtures/api/${name}.pem`, import.meta.url));
const PASSWORD = "hunter2";

/** LXD as a test plays it, over HTTPS, and the options for it. */
class Played implements AsyncDisposable {
  readonly folder: TemporaryFolder = new TemporaryFolder();
  readonly server: WebServer;
  readonly options: LxdOptions;

  constructor(answer: Answer, more: Record<string, unknown> = {}) {
    const [cert, key] = ["cert", "key"].map((name) => Deno.readTextFileSync(pemFile(name)));
    this.server = new WebServer(answer, { cert: cert!, key: key! });
    Deno.copyFileSync(pemFile("ca"), `${this.folder.path}/client.ca`);
    this.options = shape.parse({
      lxd_server_address: `https://${this.server.address}`,
      lxd_server_remote_password: PASSWORD,
      lxd_config_directory: this.folder.path,
      lxd_generate_client_certs: true,
      lxd_container_port: 80,
      ...more,
    }) as LxdOptions;
  }

  async find() {
    const { signal } = new AbortController();
    return (await lxd.find(this.options, { signal, run: runProgram, skip: () => {} })).map(
      backendKey,
    );
  }

  /** Paths so far, without what is asked in them. */
  get asked(): string[] {
    return this.server.requests.map(({ url }) => new URL(url).pathname);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

const sync = (metadata: unknown) => Response.json({ type: "sync", metadata });
const refusal = (status: number, error: string) =>
  Response.json({ type: "error", error }, { status });
const pathOf = ({ url }: { readonly url: string }) => new URL(url).pathname;

Deno.test.each([
  { says: "garbage", answer: () => new Response("<html>"), why: /isn't LXD's; is it LXD's API/ },
  {
    says: "a proxy's page",
    answer: () => new Response("no\x1b", { status: 502 }),
    why: /isn't LXD's \(status 502\)/,
  },
  { says: "null", answer: () => Response.json(null), why: /isn't LXD's/ },
  { says: "an object", answer: () => sync({}), why: /is no list of containers$/ },
  { says: "no metadata", answer: () => sync(undefined), why: /is no list of containers$/ },
  { says: "status 404", answer: () => refusal(404, "not found"), why: /LXD 4\.0 or later/ },
  { says: "status 500", answer: () => refusal(500, "boom\n"), why: /: status 500: boom\\x0a$/ },
])("lxd fails where there is no usable answer: $says", async ({ answer, why }) => {
  await using played = new Played(answer);
  await assert.rejects(played.find(), (error: Error) => {
    assert.equal(error.name, "DiscoveryError");
    assert.match(error.message, /^LXD at https:/);
    assert.match(error.message, why);
    return true;
  });
});

Deno.test("lxd keeps the password out of its message where the server repeats it", async () => {
  await using played = new Played(async (request) => {
    if (request.method === "POST") return refusal(400, `bad request: ${await request.text()}`);
    return pathOf(request) === "/1.0"
      ? sync({ auth: "untrusted" })
      : refusal(403, "not authorized");
  });
  await assert.rejects(played.find(), (error: Error) => {
    assert.match(error.message, /password \(status 400\); check lxd_server_remote_password/);
    assert(!`${error.message} ${error.stack} ${JSON.stringify(error)}`.includes(PASSWORD));
    return true;
  });
  assert.deepEqual(played.asked, ["/1.0/instances", "/1.0", "/1.0/certificates"]);
});

Deno.test("lxd goes on where another pool has made the same certificate known meanwhile", async () => {
  let known = false;
  await using played = new Played((request) => {
    if (request.method !== "POST") {
      if (pathOf(request) === "/1.0") return sync({ auth: "untrusted" });
      return known ? sync([container()]) : refusal(403, "not authorized");
    }
    known = true;
    return refusal(400, "Certificate already in trust store");
  });
  assert.deepEqual(await played.find(), ["10.0.0.1:80"]);
  assert.deepEqual(await played.find(), ["10.0.0.1:80"]);
  assert.deepEqual(played.asked.slice(-2), ["/1.0/instances", "/1.0/instances"]);
});

Deno.test("lxd doesn't send the password where its certificate is known but may not look", async () => {
  await using played = new Played((request) => {
    return pathOf(request) === "/1.0" ? sync({ auth: "trusted" }) : refusal(403, "not authorized");
  });
  await assert.rejects(played.find(), /which may not see the containers; .*lxc config trust list/);
  assert.deepEqual(played.asked, ["/1.0/instances", "/1.0"]);
});

Deno.test("lxd demands the very certificate that is filed, not one by the same authority", async () => {
  await using played = new Played(() => sync([container()]));
  const folder = `${played.folder.path}/servercerts`;
  await Deno.mkdir(folder);
  await Deno.copyFile(pemFile("ca"), `${folder}/local.crt`);
  await assert.rejects(
    played.find(),
    /another certificate; it isn't the certificate in .*local\.crt/,
  );
  assert.deepEqual(played.asked, []);
  await Deno.copyFile(pemFile("cert"), `${folder}/local.crt`);
  assert.deepEqual(await played.find(), ["10.0.0.1:80"]);
  await Deno.writeTextFile(
    `${folder}/local.crt`,
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  );
  await assert.rejects(played.find(), /local\.crt can't be read/);
});

Deno.test("lxd files no certificate that it couldn't have proved without its authority", async () => {
  await using played = new Played(() => sync([container()]), { lxd_accept_server_cert: true });
  const { path } = played.folder;
  await Deno.remove(`${path}/client.ca`);
  await assert.rejects(
    played.find(),
    /certificate that it shows is by an authority \(.*\); put that into .*client\.ca$/,
  );
  await assert.rejects(Deno.stat(`${path}/servercerts`), Deno.errors.NotFound);
  assert.deepEqual(played.asked, []);
  await Deno.mkdir(`${path}/servercerts`);
  await Deno.copyFile(pemFile("cert"), `${path}/servercerts/local.crt`);
  await assert.rejects(played.find(), /certificate in .*local\.crt is by an authority/);
});

Deno.test("lxd files nothing and sends nothing where it isn't told to accept", async () => {
  await using played = new Played(() => sync([]));
  await Deno.remove(`${played.folder.path}/client.ca`);
  await assert.rejects(played.find(), /lxd_accept_server_cert = true/);
  assert.deepEqual(played.asked, []);
  await assert.rejects(Deno.stat(`${played.folder.path}/servercerts`), Deno.errors.NotFound);
});

Deno.test("lxd makes one certificate for pools that begin at the same time, or by a key that is there", async () => {
  await using played = new Played(() => sync([]));
  const { path } = played.folder;
  const cert = () => Deno.readTextFile(`${path}/client.crt`);
  await Promise.all([played.find(), played.find(), played.find()]);
  const first = await cert();
  await Deno.remove(`${path}/client.crt`);
  const key = await Deno.readTextFile(`${path}/client.key`);
  await played.find();
  assert.notEqual(await cert(), first);
  assert.equal(await Deno.readTextFile(`${path}/client.key`), key);
  await Deno.remove(`${path}/client.key`);
  await assert.rejects(played.find(), /client\.crt is there without .*client\.key$/);
  await Deno.remove(`${path}/client.crt`);
  await Deno.writeTextFile(`${path}/client.key`, "no key");
  await assert.rejects(played.find(), /client\.crt can't be made by .*client\.key: /);
});

Deno.test("lxd says that there is no port, and no socket", async () => {
  const options = { lxd_container_port: 0, lxd_container_port_key: "" } as LxdOptions;
  assert.deepEqual(lxd.problems!(options), [
    { key: "lxd_container_port", message: "is missing\ngive it, or lxd_container_port_key" },
  ]);
  assert.deepEqual(lxd.problems!({ ...options, lxd_container_port_key: "user.port" }), []);
  await using folder = new TemporaryFolder();
  const lxd_server_address = `unix://${folder.path}/none`;
  await using none = new Played(() => sync([]), { lxd_server_address });
  await assert.rejects(
    none.find(),
    /^DiscoveryError: LXD at unix:.*no such socket: is LXD running\?$/,
  );
});
