import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import { type Argv, needs, run, runHashed } from "../support/real.ts";
import { Balanced } from "./_balanced.ts";
import { bound, Daemon, Folder, freePort } from "./_daemon.ts";

const options = needs(["sshd", "ssh", "ssh-keygen", "ssh-keyscan", "setpriv"]);

type Ssh = { readonly balanced: Balanced; readonly folder: string; readonly hostKey: string };

/** OpenSSH on 127.0.0.1 and 127.0.0.2 that lets us in by a key, and Twixt in front of the two addresses. */
async function startSsh(stack: AsyncDisposableStack): Promise<Ssh> {
  const { path } = stack.use(await Folder.make());
  const port = freePort();
  for (const name of ["host", "user"]) {
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", `${path}/${name}`]);
  }
  const settings = [
    "ListenAddress=127.0.0.1",
    "ListenAddress=127.0.0.2",
    `HostKey=${path}/host`,
    `AuthorizedKeysFile=${path}/user.pub`,
    "PermitRootLogin=yes",
    "StrictModes=no",
    "UsePAM=no",
    "PidFile=none",
  ].flatMap((setting) => ["-o", setting]);
  if (Deno.uid() === 0) await run(["mkdir", "-p", "-m", "755", "/run/sshd"]); // sshd of root insists
  const argv = bound(["sshd", "-D", "-e", "-f", "/dev/null", "-p", port, ...settings]);
  stack.use(await Daemon.start(argv, port));
  const balanced = stack.use(await Balanced.start([`127.0.0.1:${port}`, `127.0.0.2:${port}`]));
  return { balanced, folder: path, hostKey: await Deno.readTextFile(`${path}/host.pub`) };
}

/** Runs a command there, as who we are. */
function there({ balanced, folder }: Ssh, command: string): Argv {
  const settings = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=no",
    `UserKnownHostsFile=${folder}/known`,
    "LogLevel=ERROR",
  ].flatMap((setting) => ["-o", setting]);
  const to = ["-p", balanced.port, "-i", `${folder}/user`, "127.0.0.1"];
  return ["ssh", "-F", "/dev/null", ...settings, ...to, command];
}

Deno.test("ssh: the server speaks first, to a client that says nothing", options, async () => {
  await using stack = new AsyncDisposableStack();
  const { balanced, hostKey } = await startSsh(stack);
  for (let i = 0; i < 2; i++) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: balanced.port });
    const buffer = new Uint8Array(64);
    const count = await conn.read(buffer);
    assert.match(new TextDecoder().decode(buffer.subarray(0, count!)), /^SSH-2\.0-OpenSSH/);
  }
  const seen = await run(["ssh-keyscan", "-t", "ed25519", "-p", balanced.port, "127.0.0.1"]);
  assert.ok(seen.includes(hostKey.trim()), seen);
  await balanced.assertClean();
});

Deno.test("ssh: a session carries 20 MB each way byte by byte", options, async () => {
  await using stack = new AsyncDisposableStack();
  const ssh = await startSsh(stack);
  const bytes = randomFillSync(new Uint8Array(20_000_000));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await Deno.writeFile(`${ssh.folder}/bytes`, bytes);
  const down = await runHashed(there(ssh, `cat ${ssh.folder}/bytes`));
  assert.equal(down.sha256, sha256);
  const up = await run([
    "sh",
    "-c",
    `"$@" < ${ssh.folder}/bytes`,
    "sh",
    ...there(ssh, "sha256sum"),
  ]);
  assert.equal(up.split(" ")[0], sha256);
  await ssh.balanced.assertClean();
});
