import assert from "node:assert/strict";
import { acmeFile, acmeFolder, wrongAcmeHost } from "../../../../lib/acme/files.ts";
import { AcmeStore } from "../../../../lib/acme/store.ts";
import { StartError } from "../../../../lib/errors.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

async function modeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).mode! & 0o777;
}

Deno.test("AcmeStore makes a folder that only this user may open, and files that only it may read", async () => {
  await using folder = new TemporaryFolder();
  const path = acmeFolder(`${folder.path}/new/cache/`);
  const store = new AcmeStore(path);
  assert.equal(await modeOf(path), 0o700);
  store.write("a.test", "CERT\n", "KEY\n");
  store.write("a.test", "NEW", "OTHER");
  assert.equal(await Deno.readTextFile(acmeFile(path, "a.test")), "OTHER\nNEW\n");
  assert.equal(await modeOf(acmeFile(path, "a.test")), 0o600);
  new AcmeStore(path); // once more, with what is there
});

Deno.test("AcmeStore makes one key for each authority, and keeps it", async () => {
  await using folder = new TemporaryFolder();
  const store = new AcmeStore(acmeFolder(folder.path));
  let made = 0;
  const keyOf = (directory: string) =>
    store.accountKey(directory, () => Promise.resolve(`key ${++made}`));
  assert.equal(await keyOf("https://one/dir"), "key 1");
  assert.equal(await keyOf("https://two/dir"), "key 2");
  assert.equal(await keyOf("https://one/dir"), "key 1");
});

Deno.test("AcmeStore refuses a folder that others may open, or that is none", async () => {
  await using folder = new TemporaryFolder();
  const refused = (path: string, wanted: RegExp) =>
    assert.throws(() => new AcmeStore(path), (error) => {
      assert(error instanceof StartError && /cache_dir/.test(error.hint));
      assert.match(error.message, wanted);
      return true;
    });
  const open = `${folder.path}/open`;
  await Deno.mkdir(open, { mode: 0o755 });
  refused(open, /isn't a folder that only this user may open/);
  await Deno.mkdir(`${folder.path}/own`, { mode: 0o700 });
  await Deno.symlink(`${folder.path}/own`, `${folder.path}/link`);
  refused(`${folder.path}/link`, /isn't a folder/);
  await Deno.writeTextFile(`${folder.path}/file`, "");
  refused(`${folder.path}/file`, /./);
  refused(`${folder.path}/file/below`, /can't be made/);
});

Deno.test.each([
  { host: "a.test", wrong: undefined },
  { host: "xn--bcher-kva.example", wrong: undefined },
  { host: "*.a.test", wrong: /wildcard.*\n.*name each host/ },
  { host: "10.0.0.1", wrong: /no host name/ },
  { host: "a_b.test", wrong: /no host name/ },
  { host: "-a.test", wrong: /no host name/ },
  { host: "a..test", wrong: /no host name/ },
  { host: "../../etc/passwd", wrong: /no host name/ },
  { host: "", wrong: /no host name/ },
  { host: `${"a.".repeat(119)}test`, wrong: /no host name/ },
])("wrongAcmeHost($host)", ({ host, wrong }) => {
  if (wrong === undefined) assert.equal(wrongAcmeHost(host), undefined);
  else assert.match(wrongAcmeHost(host)!, wrong);
});
