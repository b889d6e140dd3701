import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAgentLine } from "../../../health/agent.ts";
import { TcpBackend, writeAll } from "../../support/backends.ts";
import { checkOnce } from "../../support/checks.ts";
import { freePort, pause } from "../../support/clients.ts";

Deno.test.each([
  { line: "75%", passed: true, advice: { weightPercent: 75 } },
  { line: "0%", passed: true, advice: { weightPercent: 0 } },
  { line: "999%", passed: true, advice: { weightPercent: 256 } },
  { line: "up", passed: true },
  { line: "UP ready 100%", passed: true, advice: { drain: false, weightPercent: 100 } },
  { line: "up,drain\t50%", passed: true, advice: { drain: true, weightPercent: 50 } },
  { line: "drain", passed: true, advice: { drain: true } },
  { line: "maint", passed: false, advice: { drain: true } },
  { line: "ready down", passed: false, advice: { drain: false } },
  { line: "fail", passed: false },
  { line: "failed#disk full", passed: false },
  { line: "stopped # by an operator: up", passed: false },
  { line: "up down", passed: false },
])("parseAgentLine() of $line", ({ line, passed, advice }) => {
  const { text, ...result } = parseAgentLine(line);
  assert.deepEqual(result, advice === undefined ? { passed } : { passed, advice });
  assert.notEqual(text, "");
});

Deno.test.each([
  { line: "down#disk full", text: '"down #disk full"' },
  { line: "maxconn:30 up", text: '"maxconn:30 up"; maxconn:30 has no effect here' },
  { line: "up sideways", text: '"up sideways"; "sideways" is unknown' },
  { line: "", text: 'no word of an agent in ""' },
  { line: "HTTP/1.1 400 Bad Request", text: 'no word of an agent in "HTTP/1.1 400 Bad Request"' },
  { line: "-5% 5.5% 1e3% 1234567% %", text: 'no word of an agent in "-5% 5.5% 1e3% 1234567% %"' },
])("parseAgentLine() tells of $line", ({ line, text }) => {
  assert.equal(parseAgentLine(line).text, text);
});

Deno.test("parseAgentLine() says something short of any line, and asks for no impossible weight", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 1_024 }), (line) => {
    const { text, advice } = parseAgentLine(line);
    assert.ok(text.length < 4_096);
    assert.ok(advice?.weightPercent === undefined || advice.weightPercent <= 256);
  }));
});

Deno.test("agent asks the agent's port, and reads no further than the line's end", async () => {
  const got: string[] = [];
  await using backend = new TcpBackend(async (conn) => {
    const buffer = new Uint8Array(64);
    got.push(new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0)));
    for (const part of ["up 7", "5%", "\r\ndown"]) {
      if (part !== "up 7") await pause(10);
      await writeAll(conn, new TextEncoder().encode(part));
    }
    await conn.read(buffer);
  });
  const keys = { kind: "agent", agent_port: backend.port, agent_send: "web1\n" };
  assert.deepEqual(await checkOnce(freePort(), keys), {
    passed: true,
    text: '"up 75%"',
    advice: { weightPercent: 75 },
  });
  assert.deepEqual(got, ["web1\n"]);
});

Deno.test("agent takes a line that ends with the connection, and refuses one without end", async () => {
  await using brief = new TcpBackend((conn) => writeAll(conn, new TextEncoder().encode("ready")));
  const short = await checkOnce(1, { kind: "agent", agent_port: brief.port });
  assert.deepEqual(short, { passed: true, text: '"ready"', advice: { drain: false } });
  await using long = new TcpBackend(async (conn) => {
    await writeAll(conn, new Uint8Array(1_024).fill(117));
    await conn.read(new Uint8Array(1));
  });
  const endless = await checkOnce(1, { kind: "agent", agent_port: long.port });
  assert.deepEqual(endless, { passed: false, text: "the agent's line has no end" });
});
