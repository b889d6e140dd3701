/** The state file under kills and on a full disk. */
import assert from "node:assert/strict";
import { StateFile } from "../../lib/host/state_file.ts";
import { parseState } from "../../lib/state.ts";
import { ask, greeter } from "../support/backends.ts";
import { pause } from "../support/clients.ts";
import { hasMounts } from "../support/host.ts";
import { fromFileUrl } from "../support/paths.ts";
import { stateOf } from "../support/state_writer.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { shell, Twixt } from "../support/twixt.ts";

const timeout = 120_000;
const WRITER = fromFileUrl(new URL("../support/state_writer.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));
const KILLS = 200;
const RESTARTS = 10;
/** A backend that nobody asks, so that its weight may be anything. */
const IDLE = "127.0.0.1:9";

/** Lets a writer of states go on from number `first` and kills it some time later. Returns the last one it had done. */
async function killedWriter(path: string, first: number): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--config", CONFIG, "-R", "-W", WRITER, path, String(first)],
    ...{ stdin: "null", stdout: "piped", stderr: "inherit" },
  }).spawn();
  let said = "";
  let killed = Promise.resolve();
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (said === "") killed = pause(Math.random() * 25).then(() => child.kill("SIGKILL"));
    said += text;
  }
  await killed;
  assert.equal((await child.status).signal, "SIGKILL");
  return Number(said.trimEnd().split("\n").at(-1));
}

Deno.test(
  `a state file whose writer is killed ${KILLS} times is the old or the new one each time`,
  {
    timeout,
  },
  async () => {
    await using folder = new TemporaryFolder();
    const file = new StateFile(`${folder.path}/state.json`);
    let [last, withinWrite, writes] = [0, 0, 0];
    for (let kill = 0; kill < KILLS; kill++) {
      const done = await killedWriter(file.path, last + 1);
      const left = await Deno.stat(`${file.path}.new`).then(() => true, () => false);
      const { overlay } = file.read()!;
      const kept = Number(overlay.backends.web!["host-0:80"]!.weight);
      assert([done, done + 1].includes(kept), `${kept} was kept after ${done} was done`);
      assert.deepEqual(overlay, stateOf(kept).overlay);
      writes += kept - last;
      withinWrite += left || kept > done ? 1 : 0;
      last = kept;
    }
    console.log(
      `${KILLS} kills in ${writes} writes; ${withinWrite} kills came while a file was written`,
    );
    assert(withinWrite > KILLS / 20, "the kills missed what they were meant to hit");
  },
);

async function send(twixt: Twixt, method: string, path: string, body: unknown) {
  const { address } = await twixt.logged(({ msg }) => msg === "API listening");
  const answer = await fetch(`http://${address}${path}`, {
    method,
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

const patch = (twixt: Twixt, body: unknown) =>
  send(twixt, "PATCH", `/pools/web/backends/${IDLE}`, body);

/** The weight in force. */
async function weightOf(twixt: Twixt): Promise<number> {
  const { backends } = await (await twixt.api("/pools/web")).json();
  return backends.find((each: { port: string }) => each.port === "9").weight;
}

function configOf(stateFile: string, live: string) {
  return {
    state_file: stateFile,
    workers: 1,
    api: { enabled: true, bind: "127.0.0.1:0" },
    servers: { web: staticServer([live, `${IDLE} priority=2`]) },
  };
}

Deno.test(
  `Twixt that is killed ${RESTARTS} times while weights change starts with the last one it told of, or the next`,
  {
    timeout,
  },
  async () => {
    await using backend = greeter("hello");
    await using folder = new TemporaryFolder();
    const state = `${folder.path}/state.json`;
    let [told, asked] = [1, 1]; // the weight that every backend has without a change
    const restart = async () => {
      const twixt = await Twixt.start({ config: configOf(state, backend.address) });
      const weight = await weightOf(twixt);
      assert([told, asked].includes(weight), `${weight}, told ${told}, asked for ${asked}`);
      assert.equal(await ask(twixt.port("web")), "hello");
      return twixt;
    };
    for (let kill = 0; kill < RESTARTS; kill++) {
      await using twixt = await restart();
      told = asked = await weightOf(twixt);
      const killed = pause(20 + Math.random() * 100).then(() => twixt.signal("SIGKILL"));
      await assert.rejects(async () => {
        for (;;) {
          assert.equal((await patch(twixt, { weight: ++asked })).status, 200);
          told = asked;
        }
      }, TypeError); // fetch's word for a peer that has gone
      await killed;
      await twixt.ended();
    }
    await using _twixt = await restart();
    console.log(`${RESTARTS} kills in ${told} changes`);
  },
);

Deno.test(
  "on a full disk a change is in force but not kept, clients are served, and the next is kept again",
  {
    ignore: !hasMounts,
    timeout,
  },
  async () => {
    await using backend = greeter("hello");
    await using folder = new TemporaryFolder(); // the program's own mount hides it
    const disk = folder.path;
    await using twixt = await Twixt.start({
      config: configOf(`${disk}/state.json`, backend.address),
      wrap: `exec unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs ${disk} && exec "$@"' - {}`,
    });
    const inside = `/proc/${twixt.pid}/root${disk}`;
    const kept = async () => {
      const state = parseState(await shell(`cat ${inside}/state.json`));
      assert(typeof state !== "string", String(state));
      return state.overlay.backends.web;
    };
    // so much that a part of it fits where all of it doesn't
    const static_list = Array.from({ length: 500 }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`);
    const added = { bind: "127.0.0.1:0", discovery: { kind: "static", static_list } };
    assert.equal((await send(twixt, "POST", "/servers/added", added)).status, 200);
    assert.equal((await patch(twixt, { weight: 5 })).status, 200);
    assert.deepEqual(await kept(), { [IDLE]: { weight: 5, weightBefore: 1 } });

    await shell(`dd if=/dev/zero of=${inside}/fill bs=4k`);
    assert.equal(await shell(`stat -f -c %a ${inside}`), "0");
    for (const [weight, free] of [[6, 0], [7, 4_096]]) {
      if (free) await shell(`truncate -s -${free} ${inside}/fill`);
      const { status, body } = await patch(twixt, { weight });
      assert.equal(status, 500);
      assert.match(
        body.error,
        /^the change is in force, but it is lost with this process: state file \S+ can't be written: No space left/,
      );
      assert.equal(await weightOf(twixt), weight);
      assert.equal(await ask(twixt.port("web")), "hello");
    }
    assert.deepEqual(await kept(), { [IDLE]: { weight: 5, weightBefore: 1 } });
    assert.equal(await shell(`ls ${inside}`), "fill\nstate.json");
    await twixt.logged(({ level, msg }) => level === "error" && /No space left/.test(msg));

    await shell(`rm ${inside}/fill`);
    assert.equal((await patch(twixt, { drain: true })).status, 200);
    assert.deepEqual(await kept(), { [IDLE]: { weight: 7, weightBefore: 1, draining: true } });
  },
);
