import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import { needs, run, runHashed } from "../support/real.ts";
import { Balanced } from "./_balanced.ts";
import { Folder, freePort } from "./_daemon.ts";
import { startServers } from "./_nginx.ts";

const options = needs(["nginx", "curl", "wrk", "setpriv"]);
const FILE_BYTES = 100 * 1024 * 1024;

/** An nginx with two servers, what the files in their folder hold, and Twixt in front. */
async function startNginx(
  stack: AsyncDisposableStack,
): Promise<{ balanced: Balanced; sha256: string }> {
  const { path } = stack.use(await Folder.make());
  const ports = [freePort(), freePort()];
  const file = randomFillSync(new Uint8Array(FILE_BYTES));
  await Deno.writeFile(`${path}/large`, file);
  await Deno.writeTextFile(`${path}/small`, "a small file\n");
  const servers = ports.map((port) => `listen 127.0.0.1:${port} backlog=1024; root ${path};`);
  await startServers(stack, path, servers, ports[1]!);
  const balanced = stack.use(await Balanced.start(ports.map((port) => `127.0.0.1:${port}`)));
  return { balanced, sha256: createHash("sha256").update(file).digest("hex") };
}

Deno.test("nginx: 100 MB come through byte by byte, four at a time", options, async () => {
  await using stack = new AsyncDisposableStack();
  const { balanced, sha256 } = await startNginx(stack);
  const url = `http://127.0.0.1:${balanced.port}/large`;
  const download = () => runHashed(["curl", "-sSf", url]);
  const got = await Promise.all([download(), download(), download(), download()]);
  for (const { bytes, sha256: hash } of got) {
    assert.equal(bytes, FILE_BYTES);
    assert.equal(hash, sha256);
  }
  await balanced.assertClean();
});

Deno.test.each([
  { connections: "kept", header: "Connection: keep-alive" },
  { connections: "new", header: "Connection: close" },
])("nginx: wrk over $connections connections sees no error", options, async ({ header }) => {
  await using stack = new AsyncDisposableStack();
  const { balanced } = await startNginx(stack);
  const load = ["-t", 2, "-c", 50, "-d", "5s", "-H", header];
  const said = await run(["wrk", ...load, `http://127.0.0.1:${balanced.port}/small`]);
  assert.doesNotMatch(said, /Socket errors|Non-2xx/, said);
  assert.ok(Number(said.match(/(\d+) requests in/)?.[1]) > 1_000, said);
  await balanced.assertClean();
});
