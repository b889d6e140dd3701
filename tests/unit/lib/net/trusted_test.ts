import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { type Shown, untrusted } from "../../../../lib/net/trusted.ts";
import { Authority } from "../../../support/certificates.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const DAY_MS = 86_400_000;

/** The certificates of a file, linked as a connection tells of them. */
async function shown(path: string): Promise<Shown> {
  const pems = (await Deno.readTextFile(path)).match(
    /-----BEGIN[^-]*-----[^-]*-----END[^-]*-----/g,
  )!;
  return pems.reverse().reduce<Shown | undefined>(
    (issuerCertificate, pem) => ({ raw: new X509Certificate(pem).raw, issuerCertificate }),
    undefined,
  )!;
}

Deno.test("untrusted() follows a chain to an authority, by signatures and dates", async () => {
  await using folder = new TemporaryFolder();
  await using elsewhere = new TemporaryFolder();
  const own = await Authority.make(folder.path);
  const other = await Authority.make(elsewhere.path);
  const trust = await Deno.readTextFile(own.ca);
  const others = await Deno.readTextFile(other.ca);
  const issue = async (name: string, extensions = "", days = 30) =>
    await shown((await own.issue(name, { names: ["a.test"], extensions, days })).cert);
  const now = Date.now();
  const plain = await issue("plain");
  const client = await issue("client", "extendedKeyUsage=clientAuth\n");
  for (const each of [plain, client]) {
    assert.equal(untrusted(each, trust, now), undefined);
    assert.equal(untrusted(each, `${others}\n${trust}`, now), undefined);
    // both authorities have the same name: signatures tell them apart
    assert.match(untrusted(each, others, now)!, /no authority/);
    assert.match(untrusted({ raw: each.raw }, trust, now)!, /no authority/, "a link is missing");
    assert.match(untrusted(each, trust, now + 40 * DAY_MS)!, /expired/);
    assert.match(untrusted(each, trust, now - DAY_MS)!, /expired/);
  }
  const root = new X509Certificate(trust).raw;
  assert.equal(untrusted({ raw: root }, trust, now), undefined, "an authority's own");
  assert.match(untrusted({ raw: root }, others, now)!, /no authority/);
  const loop: { raw: Uint8Array; issuerCertificate?: Shown } = { raw: root };
  loop.issuerCertificate = loop;
  assert.match(untrusted(loop, others, now)!, /no authority/);
});
