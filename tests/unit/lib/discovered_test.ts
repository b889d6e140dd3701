import assert from "node:assert/strict";
import fc from "fast-check";
import { parseBackendLine } from "../../../lib/backend_line.ts";
import { discovered, parseFact } from "../../../lib/discovered.ts";
import { backendKey } from "../../../lib/model.ts";

Deno.test("discovered() takes what a backend line takes, and nothing else", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), fc.string());
  fc.assert(fc.property(host, fc.integer({ min: -1, max: 70_000 }), (host, port) => {
    const backend = discovered({ host, port });
    if (typeof backend !== "string") {
      assert.deepEqual(parseBackendLine(backendKey(backend)), backend);
    }
  }));
});

Deno.test.each([
  { text: "0", is: 0 },
  { text: "2147483647", is: 2147483647 },
  { text: "2147483648", is: undefined },
  { text: "-1", is: undefined },
  { text: "1.5", is: undefined },
  { text: "", is: undefined },
])('parseFact() of "$text" is $is', ({ text, is }) => {
  assert.equal(parseFact(text), is);
});
