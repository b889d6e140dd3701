/** The folders' rules as tests: which way imports point, what stays pure, how long a file may be. */
import assert from "node:assert/strict";
import { fromFileUrl } from "../../support/paths.ts";

const ROOT = fromFileUrl(new URL("../../../", import.meta.url));

/** What a folder may import from, beside itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  discovery: ["lib"],
  health: ["lib"],
  protocols: ["lib"],
  api: ["lib"],
  cli: ["lib", "api", "discovery", "health", "protocols"],
  "main.ts": ["lib", "api", "discovery", "health", "protocols", "cli", "deno.json"],
};

/** Modules that depend on nothing but their arguments. */
const PURE = [
  /^lib\/(duration|address|access|backend_line|health_state|election|registry|model|tls_model|messages|watchdog|crc32c)\.ts$/,
  /^lib\/(overlay|operations|forget|conflicts|effective|state|reloads)\.ts$/,
  /^lib\/balance\//,
  /^lib\/config\//,
  /^lib\/reference\//,
  /^lib\/stats\//,
  /^lib\/net\/dns\/(name|message|follow)\.ts$/,
  /^lib\/host\/budget\.ts$/,
  /^lib\/source\/consul_index\.ts$/,
  /^lib\/(loose|backend_fields|growing_bytes|guarded)\.ts$/,
  /^discovery\/_(kubernetes_slices|lxd_containers|labels)\.ts$/,
  /^protocols\/(client_hello|_client_hello_message|proxy_.*)\.ts$/,
];

type Source = { readonly path: string; readonly text: string };

async function sources(): Promise<Source[]> {
  const found: Source[] = [{ path: "main.ts", text: await Deno.readTextFile(`${ROOT}main.ts`) }];
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(`${ROOT}${folder}`)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else if (path.endsWith(".ts")) {
        found.push({ path, text: await Deno.readTextFile(ROOT + path) });
      }
    }
  };
  for (const folder of Object.keys(MAY_IMPORT)) if (!folder.endsWith(".ts")) await walk(folder);
  return found;
}

/** The project's files that a module imports, as paths from the root. */
function imports({ path, text }: Source): string[] {
  const found = text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found].map(([, specifier]) =>
    new URL(specifier!, `file:///${path}`).pathname.slice(1)
  );
}

const top = (path: string): string => path.split("/")[0]!;

Deno.test("imports point from main.ts to cli, from there to the four, from there to lib", async () => {
  const wrong: string[] = [];
  for (const source of await sources()) {
    const from = top(source.path);
    for (const imported of imports(source)) {
      const to = top(imported);
      if (to !== from && !MAY_IMPORT[from]!.includes(to)) {
        wrong.push(`${source.path} -> ${imported}`);
      }
      const name = imported.split("/").at(-1)!;
      const folder = (path: string) => path.slice(0, path.lastIndexOf("/"));
      if (name.startsWith("_") && folder(imported) !== folder(source.path)) {
        wrong.push(`${source.path} -> ${imported}, which is private to its folder`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("pure files use no runtime, clock or chance of their own", async () => {
  const impure =
    /\bDeno\.|\bfetch\(|\bset(Timeout|Interval)\(|\bDate\.now\(|\bMath\.random\(|performance\.now\(/;
  const wrong = (await sources())
    .filter(({ path }) => PURE.some((pattern) => pattern.test(path)))
    .filter(({ text }) => impure.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")))
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

Deno.test("only lib/stats/counters.ts uses Atomics, and only lib/log.ts the log package", async () => {
  const all = await sources();
  const users = (pattern: RegExp) =>
    all.filter(({ text }) => pattern.test(text)).map(({ path }) => path);
  assert.deepEqual(users(/\bAtomics\.\w/), ["lib/stats/counters.ts"]);
  assert.deepEqual(users(/"@logtape/), ["lib/log.ts"]);
  assert.deepEqual(users(/"commander"/).sort(), ["cli/command_line.ts", "cli/start.ts"]);
});

Deno.test("workers load one package, the patterns': each has its own copy of what it loads", async () => {
  const byPath = new Map((await sources()).map((source) => [source.path, source]));
  const loaded = new Set(["protocols/worker.ts"]);
  const packages = new Set<string>();
  for (const path of loaded) {
    // what speaks TLS with backends is loaded where a server does that
    const text = byPath.get(path)!.text.replace(
      /^(import|export) type [^;]*;|\bimport\("[^"]*"\)/gm,
      "",
    );
    for (const imported of imports({ path, text })) loaded.add(imported);
    for (const [, name] of text.matchAll(/^(?:import|.*\bfrom) "([^."][^"]*)";$/gm)) {
      packages.add(name!);
    }
  }
  assert(loaded.size > 30, String(loaded.size));
  assert.deepEqual([...packages], ["re2js"]);
});

Deno.test("no file is longer than 300 lines, and no module has state of its own", async () => {
  const all = await sources();
  const long = all.filter(({ text }) => text.split("\n").length > 301).map(({ path }) => path);
  assert.deepEqual(long, []);
  const stateful = all.filter(({ text }) => /^(export )?let /m.test(text)).map(({ path }) => path);
  // the worker's one object can't exist before its first message
  assert.deepEqual(stateful, ["protocols/worker.ts"]);
});

Deno.test("tasks name their permissions and ask nobody", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  for (const [name, command] of Object.entries(tasks as Record<string, string>)) {
    assert.doesNotMatch(command, /(^|\s)(-A|--allow-all)\b/, name);
    if (/deno (run|test|compile)\b/.test(command)) assert.match(command, /--no-prompt/, name);
  }
});
