import assert from "node:assert/strict";
import { StartError } from "../../../../lib/errors.ts";
import type { Certificate } from "../../../../lib/tls_model.ts";
import { readCertificates } from "../../../../lib/source/certificates.ts";
import { Authority } from "../../../support/certificates.ts";
import { run } from "../../../support/real.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const DAY_MS = 86_400_000;

/** Reads one pair; what is wrong comes as text, with the folder taken out. */
async function read(
  folder: string,
  certPath: string,
  keyPath: string,
  nowMs = Date.now(),
): Promise<Partial<Certificate> & { said: string }> {
  try {
    const at = "servers.a.tls";
    const { certificates, warnings } = await readCertificates([{ certPath, keyPath, at }], nowMs);
    return { ...certificates[0]!, said: warnings.join("\n").replaceAll(folder, "") };
  } catch (error) {
    assert(error instanceof StartError);
    assert.equal(error.usage, true);
    return { said: `${error.message}\n${error.hint}`.replaceAll(folder, "") };
  }
}

Deno.test("readCertificates() takes keys of every form, with a chain, and finds the names", async () => {
  await using folder = new TemporaryFolder();
  const { path } = folder;
  const authority = await Authority.make(path);
  const names = ["A.test", "*.a.test"];
  const { cert, key } = await authority.issue("ec", { names });
  const rsa = await authority.issue("rsa", { names: ["b.test"], keys: "rsa" });
  await run(["openssl", "ec", "-in", key, "-out", `${path}/sec1`]);
  await run(["openssl", "rsa", "-traditional", "-in", rsa.key, "-out", `${path}/pkcs1`]);
  const params = await run(["openssl", "ecparam", "-name", "prime256v1"]);
  await Deno.writeTextFile(`${path}/with`, params + await Deno.readTextFile(`${path}/sec1`));
  for (const file of [key, `${path}/sec1`, `${path}/with`]) {
    const { said, ...pair } = await read(path, cert, file);
    assert.equal(said, "");
    assert.deepEqual(pair, {
      ...{ names: ["a.test", "*.a.test"], cert: await Deno.readTextFile(cert) },
      key: await Deno.readTextFile(file),
    });
  }
  for (const file of [rsa.key, `${path}/pkcs1`]) {
    assert.deepEqual((await read(path, rsa.cert, file)).names, ["b.test"]);
  }
  const old = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30] as const;
  await run([...old, "-keyout", `${path}/o.key`, "-out", `${path}/o`, "-subj", "/O=x/CN=Old.test"]);
  assert.deepEqual((await read(path, `${path}/o`, `${path}/o.key`)).names, ["old.test"]);
});

Deno.test("readCertificates() warns of what expires, and of what has", async () => {
  await using folder = new TemporaryFolder();
  const authority = await Authority.make(folder.path);
  const { cert, key } = await authority.issue("a", { names: ["a.test"], days: 30 });
  const at = async (days: number) =>
    (await read(folder.path, cert, key, Date.now() + days * DAY_MS)).said;
  assert.equal(await at(0), "");
  assert.equal(await at(22), "");
  assert.match(await at(24), /^servers\.a\.tls\.cert_path: \/a\.pem expires on .* GMT; renew it$/);
  assert.match(await at(31), /^servers\.a\.tls\.cert_path: \/a\.pem has expired on .* GMT; renew/);
  assert.match(await at(-1), /^servers\.a\.tls\.cert_path: \/a\.pem is not valid before /);
});

Deno.test("readCertificates() says which file is wrong, and never what is in a key", async () => {
  await using folder = new TemporaryFolder();
  const { path } = folder;
  const authority = await Authority.make(path);
  const a = await authority.issue("a", { names: ["a.test"] });
  const b = await authority.issue("b", { names: ["b.test"], keys: "rsa" });
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(`${path}/${name}`, text);
    return `${path}/${name}`;
  };
  const chain = await Deno.readTextFile(a.cert);
  const keyText = await Deno.readTextFile(a.key);
  await run([
    "openssl",
    "pkey",
    "-aes256",
    "-passout",
    "pass:x",
    "-in",
    a.key,
    "-out",
    `${path}/enc`,
  ]);
  const empty = await write("empty", "");
  const block = (label: string, body: string) =>
    `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
  const bad = await write("bad", block("CERTIFICATE", "AAAA"));
  const badSecond = await write("second", chain + block("CERTIFICATE", "AAAA"));
  const badKey = await write("bad.key", block("PRIVATE KEY", "c2VjcmV0"));
  const cut = await write("cut.key", keyText.slice(0, keyText.length / 2));
  const cases: [cert: string, key: string, wanted: string][] = [
    [`${path}/none`, a.key, "cert_path: /none does not exist\ncheck the path"],
    [a.cert, `${path}/none`, "key_path: /none does not exist\ncheck the path"],
    [path, a.key, "cert_path:  is a directory\n"],
    [empty, a.key, "cert_path: /empty holds no CERTIFICATE in PEM form\nconvert it: "],
    [a.key, a.cert, "cert_path: /a.pem.key holds no CERTIFICATE in PEM form\n"],
    [bad, a.key, "cert_path: /bad has a certificate that can't be read\nlook at it: "],
    [badSecond, a.key, "cert_path: /second has a certificate, the 3. in it, that can't be read\n"],
    [a.cert, empty, "key_path: /empty holds no PRIVATE KEY in PEM form\nconvert it: "],
    [a.cert, badKey, "key_path: /bad.key has a key that can't be read\nlook at it: "],
    [a.cert, cut, "key_path: /cut.key has a key that can't be read\n"],
    [a.cert, `${path}/enc`, "key_path: /enc is encrypted\ntake its passphrase off: openssl pkey"],
    [a.cert, b.key, "key_path: /b.pem.key is not the key of /a.pem\nname the key that"],
    [b.cert, a.key, "key_path: /a.pem.key is not the key of /b.pem\n"],
  ];
  for (const [cert, key, wanted] of cases) {
    const { said } = await read(path, cert, key);
    assert(said.startsWith(`servers.a.tls.${wanted}`), said);
    assert(!/c2VjcmV0|MIG|secret/.test(said), said);
  }
});

Deno.test("readCertificates() refuses what the runtime doesn't take", async () => {
  await using folder = new TemporaryFolder();
  const { path } = folder;
  const [cert, key] = [`${path}/dsa`, `${path}/dsa.key`];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1", "-nodes"] as const;
  await run(["openssl", "req", "-x509", ...curve, "-keyout", key, "-out", cert, "-subj", "/CN=a"]);
  const { said } = await read(path, cert, key);
  assert.match(said, /^servers\.a\.tls\.(cert|key)_path: \/dsa(\.key)? (can't be used|has a key)/);
});
