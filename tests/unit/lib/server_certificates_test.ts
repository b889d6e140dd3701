import assert from "node:assert/strict";
import { acmeFile } from "../../../lib/acme/files.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import type { ServerSpec, ServerTable } from "../../../lib/model.ts";
import { newKey, selfSigned } from "../../../lib/net/self_signed.ts";
import { type Secured, ServerCertificates } from "../../../lib/server_certificates.ts";
import { kinds } from "../../support/kinds.ts";
import { MemoryLog } from "../../support/log.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2030, 0, 1);
const key = newKey();

/** A certificate for a host that is good for so many days from the start on. */
function certOf(host: string, days: number): string {
  return selfSigned(key, {
    ...{ name: host, host, serial: Uint8Array.of(1), notBefore: new Date(START_MS - DAY_MS) },
    notAfter: new Date(START_MS + days * DAY_MS),
  });
}

/** A server with this TLS, as it listens, and what keeps its certificates. */
function setUp(folder: string, tls: Record<string, unknown>) {
  const text = JSON.stringify({
    acme: { cache_dir: folder },
    servers: {
      web: {
        ...{ bind: ":1", protocol: "tls", tls },
        discovery: { kind: "static", static_list: ["a:80"] },
      },
    },
  });
  const { config } = loadConfig(text, { file: "x", format: "json", kinds });
  const spec: ServerSpec = config.servers.get("web")!;
  const log = new MemoryLog();
  const world = { nowMs: START_MS };
  const certificates = new ServerCertificates({ workers: 2, log, wallTime: () => world.nowMs });
  let server = { spec, table: {} as ServerTable };
  const uses: Secured[] = [];
  const use = (_: unknown, secured: Secured) => {
    uses.push(secured);
    server = { spec, table: { ...server.table, ...secured } };
    return Promise.resolve(true);
  };
  const read = async () => {
    const found = await certificates.readAll([spec], new Map());
    server = { spec, table: { ...server.table, ...found.get("web")! } };
    return server.table.tls!;
  };
  const renew = () => certificates.renewAll([server], use);
  const path = (host: string) => acmeFile(config.acme!.folder, host);
  return { log, world, read, renew, uses, path };
}

Deno.test("a certificate that is about to expire is warned of once, and once more when it has", async () => {
  await using folder = new TemporaryFolder();
  const [cert_path, key_path] = [`${folder.path}/c.pem`, `${folder.path}/k.pem`];
  await Deno.writeTextFile(cert_path, certOf("a.test", 30));
  await Deno.writeTextFile(key_path, key);
  const { log, world, read, renew, uses } = setUp(folder.path, { cert_path, key_path });
  await read();
  await renew();
  assert.deepEqual(log.lines, []);
  world.nowMs += 24 * DAY_MS;
  assert(await renew());
  assert(await renew());
  assert.equal(log.lines.length, 1);
  assert.match(log.lines[0]!, /^warning servers\.web\.tls\.cert_path: .* expires on .*server=web$/);
  world.nowMs += 10 * DAY_MS;
  await renew();
  await renew();
  assert.equal(log.lines.length, 2);
  assert.match(log.lines[1]!, /has expired on/);
  assert.deepEqual(uses, [], "nothing has changed");
});

Deno.test("a host without its certificate has one that stands in, the same until ACME has got one", async () => {
  await using folder = new TemporaryFolder();
  const { log, read, renew, uses, path } = setUp(folder.path, { acme_hosts: ["a.test"] });
  const { certificates: [before] } = await read();
  assert.deepEqual(before!.names, ["a.test"]);
  await renew();
  assert.equal(uses.length, 0);
  const file = path("a.test");
  await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(file, `${key}${certOf("a.test", 90)}`);
  await renew();
  const { tls } = uses[0]!;
  assert.deepEqual(tls!.certificates.map(({ names, key }) => [names, key]), [[["a.test"], key]]);
  assert.notEqual(tls!.certificates[0]!.cert, before!.cert);
  assert(!tls!.certificates[0]!.cert.includes("PRIVATE"));
  await Deno.writeTextFile(file, "nothing");
  await renew();
  assert.match(log.lines.at(-1)!, /holds no CERTIFICATE.*another is asked for/);
  await Deno.remove(file);
  await renew();
  assert.equal(uses.length, 1, "what is in use stays");
});

Deno.test("a host's file that can't be used keeps nobody from starting", async () => {
  await using folder = new TemporaryFolder();
  const { log, read, path } = setUp(folder.path, { acme_hosts: ["a.test"] });
  const file = path("a.test");
  await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(file, `${newKey()}${certOf("a.test", 90)}`);
  assert.deepEqual((await read()).certificates[0]!.names, ["a.test"]);
  assert.match(log.lines[0]!, /^warning .*is not the key of.*another is asked for/);
});
