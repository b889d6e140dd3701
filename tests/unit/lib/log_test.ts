import assert from "node:assert/strict";
import { startLog } from "../../../lib/log.ts";

Deno.test("log lines have gobetween's text form, with fields after the message", async () => {
  const lines: string[] = [];
  const log = await startLog(
    { level: "debug", output: "stdout", format: "text" },
    (line) => lines.push(line),
  );
  log.info("listening", { server: "web", port: 3000 });
  log.part("worker").warning("can't {connect}", { why: "connection refused", evil: "a\nb" });
  assert.match(
    lines[0]!,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[INFO \] \(main\): listening server=web port=3000\n$/,
  );
  assert.match(
    lines[1]!,
    /\[WARNI\] \(worker\): can't {connect} why="connection refused" evil="a\\nb"\n$/,
  );
});

Deno.test("log lines have level, msg, name, time and the fields in JSON", async () => {
  const lines: string[] = [];
  const log = await startLog(
    { level: "info", output: "stdout", format: "json" },
    (line) => lines.push(line),
  );
  log.debug("not wanted");
  log.error("lost", { client: "10.0.0.1" });
  assert.equal(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0]!);
  assert.deepEqual(rest, { level: "error", msg: "lost", name: "main", client: "10.0.0.1" });
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});
