/** PROXY protocol headers against HAProxy: it takes ours, and we read its. */
import assert from "node:assert/strict";
import { CLIENT_CERT_CONN, CLIENT_CERT_SESS, CLIENT_SSL } from "../../protocols/proxy_header.ts";
import { type ProxyRead, ProxyReader } from "../../protocols/proxy_reader.ts";
import { writeV1 } from "../../protocols/proxy_v1.ts";
import { writeV2 } from "../../protocols/proxy_v2.ts";
import { certificate } from "../support/certificates.ts";
import { needs, run } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";
import { Daemon, Folder, freePort, unprivileged } from "./_daemon.ts";

const options = needs(["haproxy", "openssl", "setpriv"]);
const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

const DEFAULTS = ["defaults", "  timeout connect 5s", "  timeout client 5s", "  timeout server 5s"];

/**
 * Starts a HAProxy with a `listen` section of these lines on a port that it gives, for which PORT stands. Another port
 * tells that it is there, so that the first connection through the section is the test's.
 */
async function startHAProxy(
  stack: AsyncDisposableStack,
  path: string,
  lines: readonly string[],
): Promise<number> {
  const [port, ready] = [freePort(), freePort()];
  const section = ["listen one", ...lines.map((line) => `  ${line.replace("PORT", String(port))}`)];
  const probed = ["listen ready", `  bind 127.0.0.1:${ready}`, "  mode http", "  monitor-uri /"];
  const file = `${path}/haproxy.cfg`;
  await Deno.writeTextFile(file, [...DEFAULTS, ...section, ...probed, ""].join("\n"));
  stack.use(await Daemon.start(unprivileged(["haproxy", "-db", "-f", file]), ready));
  return port;
}

const FROM = { address: "192.0.2.1", port: 1234 };
const TO = { address: "198.51.100.2", port: 443 };
const FROM6 = { address: "2001:db8::1", port: 1234 };
const TO6 = { address: "2001:db8:0:1::2", port: 443 };
const uniqueId = new TextEncoder().encode("u-1");
const ssl = { client: CLIENT_SSL, verify: 0, version: "TLSv1.3", commonName: "a", cipher: "b" };

/** Headers of ours, and what HAProxy's fetches say of them. */
const OURS = [
  { header: writeV1(FROM, TO), says: "192.0.2.1 1234 198.51.100.2 443 authority= id=" },
  { header: writeV1(FROM6, TO6), says: "2001:db8::1 1234 2001:db8:0:1::2 443 authority= id=" },
  { header: writeV1(FROM, TO6), says: "::ffff:192.0.2.1 1234 2001:db8:0:1::2 443 authority= id=" },
  {
    header: writeV2({ source: FROM, destination: TO }),
    says: "192.0.2.1 1234 198.51.100.2 443 authority= id=",
  },
  {
    header: writeV2({ source: FROM6, destination: TO6, crc32c: true }),
    says: "2001:db8::1 1234 2001:db8:0:1::2 443 authority= id=",
  },
  {
    header: writeV2({ source: FROM, destination: TO6, authority: "www.example.com" }),
    says: "::ffff:192.0.2.1 1234 2001:db8:0:1::2 443 authority=www.example.com id=",
  },
  {
    header: writeV2({
      ...{ source: FROM, destination: TO, alpn: "h2", authority: "www.example.com" },
      ...{ uniqueId, ssl, crc32c: true },
    }),
    says: "192.0.2.1 1234 198.51.100.2 443 authority=www.example.com id=u-1",
  },
];

/** The body of its answer, empty where it closes without one; and the client's own port. */
async function ask(port: number, header: Uint8Array): Promise<{ answer: string; own: number }> {
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  const own = (client.localAddr as Deno.NetAddr).port;
  await client.write(Uint8Array.of(...header, ...REQUEST));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  let text = "";
  try {
    for (let read; (read = await client.read(buffer)) !== null;) {
      text += decoder.decode(buffer.subarray(0, read));
    }
  } catch (error) {
    // closed with our request unread
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return { answer: text.split("\r\n").at(-1)!, own };
}

Deno.test("HAProxy's accept-proxy takes what writeV1() and writeV2() write", options, async () => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await Folder.make());
  const format = "%[src] %[src_port] %[dst] %[dst_port] " +
    "authority=%[fc_pp_authority] id=%[fc_pp_unique_id]";
  const port = await startHAProxy(stack, path, [
    "mode http",
    "bind 127.0.0.1:PORT accept-proxy",
    `http-request return status 200 content-type text/plain lf-string "${format}"`,
  ]);
  for (const { header, says } of OURS) assert.equal((await ask(port, header)).answer, says);

  for (const header of [writeV1(), writeV2({})]) {
    const { answer, own } = await ask(port, header);
    assert.equal(answer, `127.0.0.1 ${own} 127.0.0.1 ${port} authority= id=`);
  }
  const spoilt = writeV2({ source: FROM, destination: TO, crc32c: true });
  spoilt[16]! ^= 1;
  assert.equal((await ask(port, spoilt)).answer, "", "it looks at the checksum");
});

Deno.test.each([
  { inbound: "send-proxy", version: "1" },
  { inbound: "send-proxy", version: "2" },
  { inbound: "send-proxy-v2", version: "1" },
  { inbound: "send-proxy-v2", version: "2" },
])(
  "a client's address goes from HAProxy's $inbound through Twixt, as version $version, to HAProxy",
  options,
  async ({ inbound, version }) => {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await Folder.make());
    const behind = stack.use(await Folder.make());
    const back = await startHAProxy(stack, behind.path, [
      "mode http",
      "bind 127.0.0.1:PORT accept-proxy",
      'http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst_port]"',
    ]);
    const proxy_protocol = { version, accept_from: ["127.0.0.0/8"] };
    const twixt = stack.use(
      await Twixt.start({
        config: {
          workers: 2,
          api: { enabled: true, bind: "127.0.0.1:0" },
          servers: { web: staticServer([`127.0.0.1:${back}`], { proxy_protocol }) },
        },
      }),
    );
    const front = await startHAProxy(stack, path, [
      "mode tcp",
      "bind 127.0.0.1:PORT",
      `server s 127.0.0.1:${twixt.port("web")} ${inbound}`,
    ]);
    for (let i = 0; i < 20; i++) {
      const { answer, own } = await ask(front, new Uint8Array());
      assert.equal(answer, `127.0.0.1 ${own} ${front}`);
    }
    assert.equal((await ask(twixt.port("web"), new Uint8Array())).answer, "", "it sends no header");
    assert.equal((await twixt.stats("web")).refused.bad_proxy_header, 1);
  },
);

Deno.test.each([{ inbound: "send-proxy" }, { inbound: "send-proxy-v2" }])(
  "HAProxy's $inbound stands in front of TLS that Twixt speaks",
  needs(["haproxy", "openssl", "setpriv", "curl"]),
  async ({ inbound }) => {
    await using stack = new AsyncDisposableStack();
    const [{ path }, behind, files] = [
      stack.use(await Folder.make()),
      stack.use(await Folder.make()),
      stack.use(await Folder.make()),
    ];
    const { cert, key, ca } = await certificate(files.path);
    const back = await startHAProxy(stack, behind.path, [
      "mode http",
      "bind 127.0.0.1:PORT accept-proxy",
      'http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port]"',
    ]);
    const twixt = stack.use(
      await Twixt.start({
        config: {
          workers: 2,
          servers: {
            web: staticServer([`127.0.0.1:${back}`], {
              proxy_protocol: { version: "2", accept_from: ["127.0.0.0/8"] },
              tls: { cert_path: cert, key_path: key },
            }),
          },
        },
      }),
    );
    const front = await startHAProxy(stack, path, [
      "mode tcp",
      "bind 127.0.0.1:PORT",
      `server s 127.0.0.1:${twixt.port("web")} ${inbound}`,
    ]);
    for (let i = 0; i < 5; i++) {
      const said = await run(["curl", "-sS", "--cacert", ca, `https://localhost:${front}/`]);
      assert.equal(said, `127.0.0.1 ${front}`);
    }
  },
);

/** Reads the next connection's header in pieces of 7 bytes, and the byte that follows it. HAProxy's limits end it. */
async function receive(listener: Deno.Listener): Promise<{ result: ProxyRead; next: string }> {
  const late = setTimeout(() => listener.close(), 10_000);
  using conn = await listener.accept().finally(() => clearTimeout(late));
  const reader = new ProxyReader();
  const buffer = new Uint8Array(7);
  for (let rest = "", result: ProxyRead = "more";;) {
    const length = await conn.read(buffer);
    assert.ok(length !== null, "it has closed before its header and a byte have come");
    const piece = buffer.subarray(0, length);
    if (result === "more") {
      result = reader.push(piece);
      rest += new TextDecoder().decode(piece.subarray(takenOf(result, length)));
    } else rest += new TextDecoder().decode(piece);
    if (rest !== "") return { result, next: rest };
  }
}

function takenOf(result: ProxyRead, length: number): number {
  if (result === "more") return length;
  assert.ok("header" in result, JSON.stringify(result));
  return result.taken;
}

const ALL = "ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,unique-id,crc32c";
const TLS = { alpn: "h2", authority: "localhost", uniqueId };
const CLIENT = { client: CLIENT_SSL | CLIENT_CERT_CONN | CLIENT_CERT_SESS, verify: 0 };
const SERVER_KEY = { key: "EC256", signature: "ecdsa-with-SHA256" };
const CIPHER = "TLS_AES_256_GCM_SHA384";

Deno.test.each([
  { server: "send-proxy", version: 1, tls: false, says: {} },
  { server: "send-proxy-v2", version: 2, tls: false, says: {} },
  {
    server: "send-proxy-v2 proxy-v2-options unique-id,crc32c",
    ...{ version: 2, tls: false, says: { uniqueId } },
  },
  {
    server: "send-proxy-v2-ssl-cn",
    ...{ version: 2, tls: true },
    says: { alpn: "h2", ssl: { ...CLIENT, version: "TLSv1.3", commonName: "client" } },
  },
  {
    server: `send-proxy-v2 proxy-v2-options ${ALL}`,
    ...{ version: 2, tls: true },
    says: {
      ...TLS,
      ssl: { ...CLIENT, version: "TLSv1.3", commonName: "client", cipher: CIPHER, ...SERVER_KEY },
    },
  },
])("a reader takes HAProxy's $server", options, async ({ server, version, tls, says }) => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await Folder.make());
  const { cert, key, ca } = await certificate(path);
  const own = await certificate(path, "client");
  await Deno.writeTextFile(`${path}/both.pem`, await text(cert) + await text(key));
  const listener = stack.use(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const secure = `ssl crt ${path}/both.pem ca-file ${own.ca} verify optional alpn h2`;
  const port = await startHAProxy(stack, path, [
    "mode tcp",
    `bind 127.0.0.1:PORT ${tls ? secure : ""}`,
    "unique-id-format u-1",
    `server s 127.0.0.1:${(listener.addr as Deno.NetAddr).port} ${server}`,
  ]);
  const client = stack.use(
    tls
      ? await Deno.connectTls({
        ...{ hostname: "localhost", port, alpnProtocols: ["h2"], caCerts: [await text(ca)] },
        ...{ cert: await text(own.cert), key: await text(own.key) },
      })
      : await Deno.connect({ hostname: "127.0.0.1", port }),
  );
  await client.write(new TextEncoder().encode("x"));
  const { result, next } = await receive(listener);
  assert.equal(next, "x");
  assert.ok(typeof result === "object" && "header" in result);
  assert.deepEqual(result.header, {
    ...{ version, local: false, ...says },
    source: { address: "127.0.0.1", port: (client.localAddr as Deno.NetAddr).port },
    destination: { address: "127.0.0.1", port },
  });
});

async function text(file: string): Promise<string> {
  return await Deno.readTextFile(file);
}
