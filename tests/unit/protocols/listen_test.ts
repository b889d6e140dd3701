import assert from "node:assert/strict";
import type { Certificate } from "../../../lib/tls_model.ts";
import { greeter, readAll, until, writeAll } from "../../support/backends.ts";
import { certificate } from "../../support/certificates.ts";
import {
  extension,
  helloWith,
  serverNames,
  vector,
  versionsOf,
} from "../../support/client_hello.ts";
import { Plane } from "../../support/plane.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import { UNFINISHED } from "../../../lib/stats/layout.ts";

/** Names that one listener may be asked for. */
const NAMES = 4096;

const SIGNATURES = extension(13, vector(2, [4, 3, 8, 4]));

/** A hello that asks for a name, and has all that the runtime wants before it looks for a certificate. */
const helloFor = (name: string) =>
  helloWith(serverNames(name), versionsOf(0x304, 0x303), SIGNATURES);

Deno.test("a listener that was asked for too many names is replaced by another one, and clients are served on", async () => {
  await using folder = new TemporaryFolder();
  const paths = await certificate(folder.path);
  const [cert, key] = await Promise.all(
    [paths.cert, paths.key].map((path) => Deno.readTextFile(path)),
  );
  const ca = await Deno.readTextFile(paths.ca);
  const one: Certificate = { names: ["localhost"], cert: cert!, key: key! };
  await using backend = greeter("a");
  const listenTls = Deno.listenTls;
  let listeners = 0;
  Deno.listenTls = (options) => {
    listeners++;
    return listenTls(options);
  };
  try {
    await using plane = new Plane([backend.port], {}, {
      tls: {
        guard: "never",
        certificates: [one, { ...one, names: ["*.test"] }],
        ...{ alpn: [], handshakeMs: 5_000, maxUnfinished: 512 },
      },
    });
    const ask = async (name: string) => {
      using client = await plane.connect();
      await writeAll(client, helloFor(name));
      await client.read(new Uint8Array(1)); // whatever it says, it has looked for a certificate
    };
    const askAll = async (from: number, to: number) => {
      for (let i = from; i < to; i += 64) {
        const end = Math.min(i + 64, to);
        await Promise.all(Array.from({ length: end - i }, (_, k) => ask(`n${i + k}.test`)));
      }
    };
    await askAll(0, NAMES - 1);
    await askAll(0, 64); // names that it knows
    assert.equal(listeners, 1);
    await askAll(NAMES - 1, NAMES);
    await until(() => listeners === 2);
    for (let i = 0; i < 5; i++) {
      using client = await Deno.connectTls({
        hostname: "127.0.0.1",
        port: plane.port,
        caCerts: [ca],
      });
      assert.equal(new TextDecoder().decode(await readAll(client)), "a");
    }
    await plane.idle();
    await until(() => plane.count(UNFINISHED) === 0);
    assert.equal(listeners, 2);
  } finally {
    Deno.listenTls = listenTls;
  }
});
