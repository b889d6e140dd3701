import assert from "node:assert/strict";
import { acmeFile, acmeFolder, wrongAcmeHost } from "../../../../lib/acme/files.ts";
import { AcmeStore } from "../../../../lib/acme/store.ts";
import { StartError } from "../../../../lib/errors.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const DIRECTORY = "https://acme.test/directory";

async function modeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).mode! & 0o777;
}

Deno.test("AcmeStore makes a folder that only this user may open, and files that only it may read", async () => {
  await using folder = new TemporaryFolder();
  const path = acmeFolder(`${folder.path}/new/cache/`, DIRECTORY);
  assert.match(path, /\/new\/cache\/twixt-acme\/acme\.test-[0-9a-f]{8}$/);
  const store = new AcmeStore(path);
  for (const each of [path, `${folder.path}/new/cache/twixt-acme`]) {
    assert.equal(await modeOf(each), 0o700);
  }
  store.write("a.test", "CERT\n", "KEY\n");
  store.write("a.test", "NEW", "OTHER");
  assert.equal(await Deno.readTextFile(acmeFile(path, "a.test")), "OTHER\nNEW\n");
  assert.equal(await modeOf(acmeFile(path, "a.test")), 0o600);
  new AcmeStore(path); // once more, with what is there
});

Deno.test("AcmeStore makes one key for each authority, and keeps it", async () => {
  await using folder = new TemporaryFolder();
  let made = 0;
  const keyOf = (directory: string) =>
    new AcmeStore(acmeFolder(folder.path, directory))
      .accountKey(() => Promise.resolve(`key ${++made}`));
  assert.equal(await keyOf(DIRECTORY), "key 1");
  assert.equal(await keyOf("https://acme.test/staging"), "key 2");
  assert.equal(await keyOf(DIRECTORY), "key 1");
});

Deno.test("AcmeStore keeps what went wrong, and forgets it", async () => {
  await using folder = new TemporaryFolder();
  const store = () => new AcmeStore(acmeFolder(folder.path, DIRECTORY));
  assert.equal(store().failures("a.test"), undefined);
  store().setFailures("a.test", { count: 2, againMs: 5 });
  assert.deepEqual(store().failures("a.test"), { count: 2, againMs: 5 });
  assert.equal(store().failures("b.test"), undefined);
  store().setFailures("a.test", undefined);
  assert.equal(store().failures("a.test"), undefined);
  await Deno.writeTextFile(`${acmeFile(store().folder, "a.test")}.failed`, "{");
  assert.equal(store().failures("a.test"), undefined);
});

Deno.test("AcmeStore refuses a folder that others may open, or that is none", async () => {
  await using folder = new TemporaryFolder();
  const refused = (path: string, wanted: RegExp) =>
    assert.throws(() => new AcmeStore(path), (error) => {
      assert(error instanceof StartError && /cache_dir/.test(error.hint));
      assert.match(error.message, wanted);
      return true;
    });
  const open = `${folder.path}/own/open`;
  await Deno.mkdir(open, { recursive: true, mode: 0o700 });
  await Deno.chmod(open, 0o755);
  refused(open, /isn't a folder that only this user may open/);
  await Deno.symlink(`${folder.path}/own`, `${folder.path}/link`);
  refused(`${folder.path}/link/below`, /isn't a folder/);
  await Deno.mkdir(`${folder.path}/everybodys/below`, { recursive: true, mode: 0o700 });
  await Deno.chmod(`${folder.path}/everybodys`, 0o777);
  refused(`${folder.path}/everybodys/below`, /everybodys isn't a folder that only this user/);
  await Deno.writeTextFile(`${folder.path}/file`, "");
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
