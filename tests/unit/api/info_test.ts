import assert from "node:assert/strict";
import { printLocalTime } from "../../../api/time.ts";
import type { ConfigSource } from "../../../lib/control.ts";
import { fakeApi, LOCAL } from "../../support/control.ts";

const STARTED = Date.UTC(2026, 0, 2, 3, 4, 5);

Deno.test("GET /ping answers OK in plain text", async () => {
  const answer = await fakeApi().request("/ping", {}, LOCAL);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(await answer.text(), "OK");
});

Deno.test("GET / tells of the process, field for field", async () => {
  const app = fakeApi({ startedAtMs: STARTED }, { wallTime: () => STARTED + 3_723_400 });
  const answer = await app.request("/", {}, LOCAL);
  assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
  assert.equal(
    await answer.text(),
    `{
    "pid": ${Deno.pid},
    "time": "${printLocalTime(STARTED + 3_723_400)}",
    "startTime": "${printLocalTime(STARTED)}",
    "uptime": "1h2m3.4s",
    "version": "1.2.3",
    "configuration": {
        "kind": "file",
        "path": "/etc/twixt.toml"
    }
}`,
  );
});

Deno.test("GET / has an uptime of 0 when the system's clock was put back", async () => {
  const app = fakeApi({ startedAtMs: STARTED }, { wallTime: () => STARTED - 1 });
  const body = await (await app.request("/", {}, LOCAL)).json();
  assert.equal(body.uptime, "0s");
});

Deno.test.each<{ source: ConfigSource; shown: Record<string, string> }>([
  { source: { kind: "arguments" }, shown: { kind: "arguments" } },
  {
    source: { kind: "url", url: "https://me:pw@host/twixt.toml?token=x" },
    shown: { kind: "url", url: "https://me:********@host/twixt.toml?token=********" },
  },
  {
    source: { kind: "consul", host: "127.0.0.1:8500", key: "twixt" },
    shown: { kind: "consul", host: "127.0.0.1:8500", key: "twixt" },
  },
])("GET / shows where the configuration came from: $shown.kind", async ({ source, shown }) => {
  const body = await (await fakeApi({ source }).request("/", {}, LOCAL)).json();
  assert.deepEqual(body.configuration, shown);
});
