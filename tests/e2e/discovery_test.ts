/** Pools whose backends come from sources outside, whatever these do: clients don't feel it, and the policy holds. */
import assert from "node:assert/strict";
import { ask, until } from "../support/backends.ts";
import { pause } from "../support/clients.ts";
import { FOLLOWED, KINDS, type Named, OUTCOMES, Sources } from "../support/discovery_sources.ts";
import type { LocalSource } from "../support/local_sources.ts";
import { MAX_RECORDS } from "../support/network_sources.ts";

const timeout = 120_000;

/** What sources do wrong. `why` is what the log says of it. */
const FAULTS: readonly {
  readonly fault: string;
  readonly act: (source: LocalSource) => Promise<void> | undefined;
  readonly why: RegExp;
}[] = [
  { fault: "aren't there", act: (source) => source.fall(), why: /./ },
  { fault: "hang", act: (source) => source.hang?.(), why: /answer/ },
  { fault: "hang within their answer", act: (source) => source.stall?.(), why: /answer/ },
  { fault: "send garbage", act: (source) => source.babble(), why: /./ },
  { fault: "send something else", act: (source) => source.other(), why: /./ },
];

for (const { fault, act, why } of FAULTS) {
  Deno.test(
    `sources that ${fault} at the start or later stall nobody, and are told of once`,
    { timeout },
    async () => {
      await using sources = await Sources.make();
      const acts = sources.all.map((one) => ({ one, done: act(one.source) }));
      const can = acts.filter(({ done }) => done !== undefined).map(({ one }) => one);
      await Promise.all(acts.map(({ done }) => done));
      await using twixt = await sources.start({ kinds: can.map(({ kind }) => kind) });
      await using clients = sources.clients(["steady"]);
      const each = (task: (one: Named) => Promise<void>) => Promise.all(can.map(task));

      await each(async ({ kind }) => {
        const { level } = await sources.failed(kind, 0, why);
        assert.equal(level, "error");
        assert.equal(await ask(twixt.port(kind)), "");
      });
      await each(({ source }) => source.say([sources.first]));
      await each(({ kind }) => sources.serves(kind, sources.first));
      clients.add(...can.map(({ kind }) => kind));
      await pause(500); // until they are listened to again

      const seen = twixt.lines.length;
      await each(({ source }) => act(source)!);
      await each(async ({ kind }) => {
        await sources.failed(kind, seen, why);
        await until(() => ask(twixt.port(`${kind}-empty`)).then((said) => said === ""), 20_000);
      });
      await pause(1_000); // in which they are asked several times
      await each(async ({ kind, source }) => {
        const whys = sources.failures(kind, seen);
        assert.equal(new Set(whys).size, whys.length, `${kind} is told of again: ${whys}`);
        assert(whys.length <= 5, `${kind}: ${whys}`); // on the way there may have been others
        assert.equal(await ask(twixt.port(`${kind}-empty`)), "", kind);
        await source.say([sources.second]);
      });
      await each(({ kind }) => sources.serves(kind, sources.second));
      await each(({ kind }) => {
        const again = () => sources.log(kind, "discovery answers again").length === 2;
        return until(again, 5_000, `the line that ${kind} answers again`);
      });
      await clients.assertServed(fault);
    },
  );
}

Deno.test(
  "an empty list is an answer; sources that come and go empty nothing",
  { timeout },
  async () => {
    await using sources = await Sources.make();
    await using twixt = await sources.start({});
    const each = (task: (one: Named) => Promise<void>) => Promise.all(sources.all.map(task));
    await using clients = sources.clients(["steady"]);
    await each(({ kind }) => sources.serves(kind, sources.first));
    await each(({ source }) => source.say([]));
    await each(({ kind }) => sources.serves(kind, ""));
    assert.deepEqual(twixt.lines.filter(({ msg }) => msg === "discovery failed"), []);
    for (const kind of KINDS) {
      assert.equal(sources.log(kind, "discovery lists no backends").length, 1);
    }

    await each(({ source }) => source.say([sources.first]));
    await each(({ kind }) => sources.serves(kind, sources.first));
    clients.add(...KINDS);
    const FLAPS = 6;
    for (let flap = 0; flap < FLAPS; flap++) {
      await each(({ source }) => source.fall());
      await pause(300);
      await each(({ source }) => source.say([flap % 2 === 0 ? sources.second : sources.first]));
      await pause(300);
    }
    await each(({ source }) => source.say([sources.second]));
    await each(({ kind }) => sources.serves(kind, sources.second));
    for (const kind of KINDS) {
      const failed = sources.failures(kind, 0).length;
      const again = sources.log(kind, "discovery answers again").length;
      assert(failed <= 2 * FLAPS, `${kind} failed ${failed} times`);
      assert(again <= FLAPS, `${kind} answers again ${again} times`);
      // who holds a question for long, or is listened to, may have missed it
      if (!FOLLOWED.includes(kind)) assert(failed > 0 && again > 0, `${kind} has noticed nothing`);
    }
    await clients.assertServed("sources that come and go");
  },
);

Deno.test("changes show within 5 s at an interval of an hour; who fails is asked less and less", {
  timeout,
}, async () => {
  await using sources = await Sources.make();
  const followed = sources.all.filter(({ kind }) => FOLLOWED.includes(kind));
  const polled = sources.all.filter(({ kind }) => !FOLLOWED.includes(kind));
  await Promise.all(polled.map(({ source }) => source.other()));
  await using _twixt = await sources.start({ interval: "1h", only: "keeplast" });
  const each = (task: (one: Named) => Promise<void>) => Promise.all(followed.map(task));
  await each(({ kind }) => sources.serves(kind, sources.first));
  await pause(300); // until they are listened to
  for (const list of [sources.second, sources.first, sources.second]) {
    await each(async ({ kind, source }) => {
      await source.say([list]);
      await sources.serves(kind, list, 5_000);
    });
  }
  await each(({ source }) => source.other());
  await each(async ({ kind }) => void await sources.failed(kind, 0, /./));
  const before = new Map(followed.map(({ kind, source }) => [kind, source.asked ?? 0]));
  await pause(8_000);
  for (const { kind, source } of [...followed, ...polled]) {
    if (source.asked === undefined) continue;
    const asked = source.asked - (before.get(kind) ?? 0);
    console.log(`${kind} was asked ${asked} times while it failed`);
    assert(asked >= 2 && asked <= 5, `${kind} was asked ${asked} times`); // after 1, 2, 4 s
    assert.equal(sources.failures(kind, 0).length, 1, kind);
  }
  await Promise.all(sources.all.map(({ source }) => source.say([sources.first])));
  for (const kind of KINDS) await sources.serves(kind, sources.first, 15_000);
});

Deno.test(
  "lists of 100,000 rows stall neither clients nor the API for long",
  { timeout },
  async () => {
    await using sources = await Sources.make();
    await using twixt = await sources.start({ interval: "1s", only: "keeplast", timeout: "10s" });
    for (const kind of KINDS) await sources.serves(kind, sources.first);
    const before = await twixt.resident();
    const port = sources.first.split(":")[1];
    const rows = Array.from(
      { length: 100_000 },
      (_, i) => `127.${1 + (i >> 16)}.${i >> 8 & 255}.${i & 255}:${port}`,
    );
    for (const { kind, source } of sources.all) {
      await using clients = sources.clients(["steady", kind]);
      await using api = sources.clients([], async () => {
        await (await twixt.api("/ping")).body?.cancel();
      });
      const seen = twixt.lines.length;
      const since = performance.now();
      await source.say(rows);
      const outcome = OUTCOMES[kind];
      if (outcome === undefined) await sources.names(kind, MAX_RECORDS);
      else {
        await twixt.logged((line) =>
          line.pool === kind && twixt.lines.indexOf(line) >= seen &&
          outcome.test(JSON.stringify(line))
        );
      }
      const took = performance.now() - since;
      await pause(1_500); // it is asked again
      await source.say([sources.second]);
      await sources.serves(kind, sources.second, 15_000);
      await api.assertServed(`API, ${kind} with 100,000 rows, used in ${took.toFixed()} ms`, 5_000);
      await clients.assertServed(`${kind} with 100,000 rows`);
    }
    const grown = (await twixt.resident() - before) / 1024 / 1024;
    console.log(`memory + ${grown.toFixed()} MiB`);
    assert(grown < 700, `memory has grown by ${grown} MiB`);
  },
);
