import assert from "node:assert/strict";
import { crc32c } from "../../../lib/crc32c.ts";

const UP = Uint8Array.from({ length: 32 }, (_, i) => i);

// the vectors of RFC 3720, B.4, and the check value of the catalogues
Deno.test.each([
  { name: "32 zeros", bytes: new Uint8Array(32), sum: 0x8a9136aa },
  { name: "32 ones", bytes: new Uint8Array(32).fill(255), sum: 0x62a8ab43 },
  { name: "0 to 31", bytes: UP, sum: 0x46dd794e },
  { name: "31 to 0", bytes: UP.toReversed(), sum: 0x113fdb5c },
  { name: "the digits 1 to 9", bytes: new TextEncoder().encode("123456789"), sum: 0xe3069283 },
  { name: "nothing", bytes: new Uint8Array(0), sum: 0 },
])("crc32c() of $name is what the standards say", ({ bytes, sum }) => {
  assert.equal(crc32c(bytes), sum);
});
