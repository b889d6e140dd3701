import assert from "node:assert/strict";
import type { BaseText, Source, SourceEvents } from "../../../../lib/source/source.ts";
import { prepared, withVariables } from "../../../../lib/source/variables.ts";
import { MemoryLog } from "../../../support/log.ts";

const base = (text: string): BaseText => ({ text, format: "toml", file: "there" });

Deno.test("prepared() puts variables into what is read and told; what is kept has none", async () => {
  const kept: string[] = [];
  let events: SourceEvents | undefined;
  const inner: Source = {
    about: { kind: "arguments" },
    read: () => Promise.resolve(base("a ${X}")),
    watch: (given) => {
      events = given;
      return Promise.resolve();
    },
    inForce: ({ text }) => kept.push(text),
  };
  const source = prepared(inner, withVariables(() => "secret"));
  const read = await source.read();
  assert.equal(read.text, "a secret");
  source.inForce!(read, new MemoryLog());
  const told: BaseText[] = [];
  const { signal } = new AbortController();
  await source.watch!({
    changed: (base) => told.push(base),
    failed: () => {},
    recovered: () => {},
  }, signal);
  events!.changed(base("b ${X}"));
  assert.equal(told[0]!.text, "b secret");
  source.inForce!(told[0]!, new MemoryLog());
  assert.deepEqual(kept, ["a ${X}", "b ${X}"]);
});

Deno.test("prepared() isn't watched where its source isn't", () => {
  const inner: Source = { about: { kind: "arguments" }, read: () => Promise.resolve(base("")) };
  assert.equal(prepared(inner, withVariables(() => "")).watch, undefined);
});
