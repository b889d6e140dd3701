import assert from "node:assert/strict";
import { dial } from "../../../../lib/net/dial.ts";
import { classify, classifyDial, whatHappened } from "../../../../lib/net/errors.ts";
import { bindError, probe, probeAll } from "../../../../lib/net/probe.ts";
import type { StartError } from "../../../../lib/errors.ts";
import type { ServerSpec } from "../../../../lib/model.ts";
import { TcpBackend } from "../../../support/backends.ts";

const never = new AbortController().signal;

/** What `action` throws. */
async function thrown(action: () => Promise<unknown> | unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

Deno.test("classify() knows a refused dial, an aborted one, and one from an address that isn't ours", async () => {
  const free = probe({ hostname: "127.0.0.1", port: 0, text: "127.0.0.1:0" }, "test");
  const refused = await thrown(() => dial("127.0.0.1", free, never));
  assert.equal(classify(refused), "refused");
  assert.equal(whatHappened(refused), "connection refused");
  const aborted = await thrown(() => dial("127.0.0.1", free, AbortSignal.abort()));
  assert.equal(classify(aborted), "timeout");
});

Deno.test("classify() knows reading and writing on what we closed, and on what the peer reset", async () => {
  await using backend = new TcpBackend(() => Promise.resolve());
  const conn = await dial("127.0.0.1", backend.port, never);
  const buffer = new Uint8Array(10);
  assert.equal(await conn.read(buffer), null);
  const error = await thrown(async () => {
    for (;;) await conn.write(buffer);
  });
  assert.equal(classify(error), "reset");
  conn.close();
  assert.equal(classify(await thrown(() => conn.read(buffer))), "closed");
});

Deno.test.each([
  {
    error: Object.assign(new Error("Too many open files (os error 24)"), {}),
    happening: "descriptors",
  },
  { error: Object.assign(new Error("x"), { code: "EMFILE" }), happening: "descriptors" },
  { error: Object.assign(new Error("x"), { code: "EHOSTUNREACH" }), happening: "unreachable" },
  { error: Object.assign(new Error("x"), { code: 20, name: "AbortError" }), happening: "timeout" },
  { error: Object.assign(new Error("x"), { code: "EADDRNOTAVAIL" }), happening: "not_local" },
  { error: "a string", happening: "other" },
  { error: new TypeError("whatever"), happening: "other" },
])("classify() of $error is $happening", ({ error, happening }) => {
  assert.equal(classify(error), happening);
});

Deno.test("a dial that finds no local port is our side's limit", () => {
  assert.equal(classifyDial(Object.assign(new Error("x"), { code: "EADDRNOTAVAIL" })), "ports");
});

Deno.test("probe() finds a port, and one that is taken although the other shares it", () => {
  const port = probe({ hostname: "127.0.0.1", port: 0, text: "127.0.0.1:0" }, 'server "a"');
  assert.ok(port > 0);
  using _other = Deno.listen({ hostname: "127.0.0.1", port, reusePort: true });
  const bind = { hostname: "127.0.0.1", port, text: `127.0.0.1:${port}` };
  assert.throws(() => probe(bind, 'server "a"'), (error: StartError) => {
    assert.equal(error.message, `server "a" can't listen on 127.0.0.1:${port}: address in use`);
    assert.equal(error.hint, `see who has it: ss -ltnp 'sport = :${port}'`);
    return true;
  });
});

Deno.test("bindError() says what to do about a low port and a foreign address", () => {
  const bind = { hostname: "10.9.9.9", port: 80, text: "10.9.9.9:80" };
  const low = bindError(new Deno.errors.PermissionDenied("x"), bind, "API");
  assert.match(low.hint, /ip_unprivileged_port_start.*setcap/);
  const foreign = bindError(Object.assign(new Error("x"), { code: "EADDRNOTAVAIL" }), bind, "API");
  assert.equal(foreign.message, "API can't listen on 10.9.9.9:80: not an address of this host");
});

Deno.test("probeAll() gives servers that leave their port to the system a port each", () => {
  const bind = { hostname: "127.0.0.1", port: 0, text: "127.0.0.1:0" };
  const specs = Array.from({ length: 400 }, (_, i) => ({ name: `s${i}`, bind }) as ServerSpec);
  for (let round = 0; round < 5; round++) { // 400 at random out of 28,000 would be different once in 17 rounds
    assert.equal(new Set(probeAll(specs, () => undefined).values()).size, 400);
  }
});
