/** gobetween's sample configurations: what is missing is named, and the rest runs. */
import assert from "node:assert/strict";
import { ask, greeter, until } from "../../support/backends.ts";
import { freePort } from "../../support/clients.ts";
import { fromFileUrl } from "../../support/paths.ts";
import { runTwixt, Twixt } from "../../support/twixt.ts";

const FIXTURES = fromFileUrl(new URL("../../fixtures/config/", import.meta.url));
const timeout = 30_000;

const samples = [
  {
    file: `${FIXTURES}gobetween.toml`,
    missing: [],
    without: (text: string) => text,
  },
  {
    file: `${FIXTURES}gobetween_sample.json`,
    missing: [":3: metrics.enabled: is not available yet"],
    without: (text: string) => text.replace(/"metrics": \{.*\},\n/, ""),
  },
];

for (const { file, missing, without } of samples) {
  const format = file.slice(-4);
  Deno.test(`twixt check names what it lacks for gobetween's sample ${format}, with its line`, {
    timeout,
  }, async () => {
    const { code, out, err } = await runTwixt(["check", file]);
    if (missing.length === 0) return assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.equal(code, 2);
    assert.equal(out, "");
    assert.equal(
      err.split("\n").filter((line) => line.startsWith(file)).length,
      missing.length + 1,
    );
    for (const text of missing) assert(err.includes(file + text), err);
  });

  Deno.test(`twixt runs gobetween's sample ${format} without what it lacks`, {
    timeout,
  }, async () => {
    await using red = greeter("red");
    await using green = greeter("green");
    await using blue = greeter("blue");
    const ports = { web: freePort(), api: freePort(), udp: freePort() };
    const folder = await Deno.makeTempDir();
    try {
      // its ports may be taken here; localhost stays a name that must be resolved
      const text = without(await Deno.readTextFile(file))
        .replace(/(0\.0\.0\.0|localhost):3000/, `127.0.0.1:${ports.web}`)
        .replace(/(0\.0\.0\.0)?:8888/, `127.0.0.1:${ports.api}`)
        .replace("localhost:4000", `localhost:${ports.udp}`)
        .replace("localhost:8000", `localhost:${red.port}`)
        .replace("localhost:8001", `localhost:${green.port}`)
        .replace("localhost:8002", `localhost:${blue.port}`);
      const own = `${folder}/sample.${format}`;
      await Deno.writeTextFile(own, text);
      const { code, err } = await runTwixt(["check", own]);
      assert.deepEqual({ code, err }, { code: 0, err: "" });

      // priority 0 comes before all others
      const expected = format === "toml" ? "blue" : "red";
      const pinged = async () => await (await fetch(`http://127.0.0.1:${ports.api}/ping`)).text();
      const served = async () => {
        const said = await Promise.all([ask(ports.web), pinged()]).catch(() => []);
        return said[0] === expected; // and its API, which is opened last, has answered
      };
      await using twixt = await Twixt.start({
        config: {},
        args: ["-c", own], // the last one counts
        started: () => until(served, 10_000, "the first answer"),
      });
      for (let i = 0; i < 10; i++) assert.equal(await ask(ports.web), expected);
      assert.equal(await pinged(), "OK");
      twixt.signal("SIGTERM");
      assert.equal(await twixt.ended(), 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
