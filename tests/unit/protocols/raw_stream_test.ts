import assert from "node:assert/strict";
import { Buffers } from "../../../protocols/buffers.ts";
import { RawStream } from "../../../protocols/raw_stream.ts";
import { until, writeAll } from "../../support/backends.ts";

/** A stream over one end of a connection, and the other end. */
async function connected(wanted: () => Promise<void> | undefined = () => undefined) {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [far, near] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  const buffers = new Buffers(64 << 20, () => {});
  return { far, buffers, stream: new RawStream(near, buffers, wanted) };
}

Deno.test("RawStream ends a connection of whose bytes nothing comes, within a MiB or so", async () => {
  const { far, buffers, stream } = await connected();
  let taken = 0;
  const { promise: failed, resolve } = Promise.withResolvers<Error>();
  stream.on("error", resolve);
  stream.on("data", (chunk: Uint8Array) => taken += chunk.length);
  const flood = (async () => {
    for (let i = 0; i < 64; i++) await writeAll(far, new Uint8Array(1 << 20));
  })().catch(() => {});
  assert.match((await failed).message, /TLS makes nothing of/);
  await flood;
  assert(taken <= 1 << 20, String(taken));
  assert.equal(buffers.used, 0, "its buffer is given back");
  far.close();
});

Deno.test("RawStream goes on while something comes of it, and reads no more than is wanted", async () => {
  let wake: (() => void) | undefined;
  let full = false;
  const { far, stream } = await connected(() =>
    full ? new Promise<void>((resolve) => wake = resolve) : undefined
  );
  let taken = 0;
  stream.on("data", (chunk: Uint8Array) => {
    taken += chunk.length;
    stream.gave();
  });
  await writeAll(far, new Uint8Array(3 << 20));
  await until(() => taken === 3 << 20);
  full = true;
  await writeAll(far, new Uint8Array(10)); // the read that is under way
  await until(() => taken === (3 << 20) + 10);
  await writeAll(far, new Uint8Array(10));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(taken, (3 << 20) + 10);
  full = false;
  wake!();
  await until(() => taken === (3 << 20) + 20);
  const ended = new Promise((resolve) => stream.once("close", resolve));
  stream.destroy();
  await ended;
  far.close();
});

Deno.test("RawStream holds back what is written while its peer is judged, and drops it when that is refused", async () => {
  const { far, stream } = await connected();
  stream.on("error", () => {});
  stream.hold();
  stream.write("refused");
  stream.destroy();
  assert.equal(await far.read(new Uint8Array(9)).catch(() => null), null);
  far.close();
  const other = await connected();
  other.stream.hold();
  other.stream.write("taken");
  other.stream.release();
  const buffer = new Uint8Array(9);
  assert.equal(await other.far.read(buffer), 5);
  other.stream.destroy();
  other.far.close();
});
