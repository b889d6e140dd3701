import assert from "node:assert/strict";
import { Buffers } from "../../../protocols/buffers.ts";
import type { Context } from "../../../protocols/context.ts";
import { Hop } from "../../../protocols/hop.ts";

/** A connection that reads what it is given, takes what it may, and tells whether it is open. */
class Conn {
  open = true;
  readonly written: number[] = [];
  #end = Promise.withResolvers<null>();

  constructor(readonly bytes: number[], readonly takes: boolean) {}

  read(buffer: Uint8Array): Promise<number | null> {
    const bytes = this.bytes.splice(0);
    buffer.set(bytes);
    return bytes.length > 0 ? Promise.resolve(bytes.length) : this.#end.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (!this.takes) return new Promise(() => {});
    this.written.push(...bytes);
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  end(): void {
    this.#end.resolve(null);
  }

  handshake() {
    return Promise.resolve({ alpnProtocol: "h2" });
  }

  setNoDelay(): void {}

  close(): void {
    this.open = false;
  }
}

/** A hop of such connections, whose client takes what is said to it, or doesn't. */
async function made(takes: boolean) {
  const [raw, hop, tls] = [new Conn([], takes), new Conn([7], true), new Conn([], true)];
  let now = 0;
  let held = 0;
  const buffers = new Buffers(1 << 20, () => {});
  const ticker = {
    get now() {
      return now;
    },
    next: () => turn(),
  };
  const sessions = { hold: () => held++, letGo: () => held-- };
  const context = { buffers, ticker, sessions } as unknown as Context;
  let freed = 0;
  const conn = (each: Conn) => each as unknown as Deno.TcpConn & Deno.TlsConn;
  const link = new Hop(conn(raw), conn(hop), context, () => freed++);
  let moved = 0;
  const first = { buffer: buffers.take(), length: 3 };
  assert.equal(await link.secure(conn(tls), first, () => moved++), "h2");
  await turn();
  assert.equal(hop.written.length, 3, "the hello goes ahead");
  assert.equal(moved, takes ? 2 : 1);
  assert.equal(held, 1);
  const pass = (ms: number) => now += ms;
  return { raw, hop, tls, pass, link, freed: () => freed, held: () => held };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("Hop that is cut closes all it has at once", async () => {
  const { raw, hop, tls, link, freed } = await made(false);
  link.close();
  link.close();
  assert.deepEqual([raw.open, hop.open, tls.open, freed()], [false, false, false, 1]);
});

Deno.test("Hop stays until its client has the last words, or the time for them is over", async () => {
  for (const takes of [true, false]) {
    const { raw, hop, tls, pass, link, freed, held } = await made(takes);
    await link.closeWrite();
    link.close();
    await turn();
    assert.deepEqual([raw.open, hop.open, tls.open, freed()], [true, true, false, 0]);
    pass(14_000);
    await turn();
    assert.deepEqual([raw.open, held()], [true, 1]);
    if (takes) hop.end();
    else pass(1_000);
    await turn();
    await turn();
    assert.deepEqual([raw.open, hop.open, freed(), held()], [false, false, 1, 0]);
    assert.deepEqual(raw.written, takes ? [7] : []);
  }
});
