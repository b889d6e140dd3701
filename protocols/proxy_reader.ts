import type { ProxyFault, ProxyHeader } from "./proxy_header.ts";
import { readV1, V1_MAX_BYTES, V1_START } from "./proxy_v1.ts";
import { lengthOfV2, readV2, V2_FIXED_BYTES, V2_START } from "./proxy_v2.ts";

/**
 * What is known after some bytes: too little, a header, or what is wrong.
 *
 * `length` is what the header took in bytes, over all segments; `taken` is how many of them were in the last segment.
 * What follows there belongs to the protocol inside.
 */
export type ProxyRead =
  | "more"
  | { readonly header: ProxyHeader; readonly length: number; readonly taken: number }
  | { readonly wrong: ProxyFault };

const CR = 13;
const LF = 10;

/**
 * Reads one PROXY protocol header of either version from the segments in which a connection's first bytes arrive.
 * Each byte is looked at a fixed number of times, however they are cut; at most 4,096 are kept. Never throws.
 *
 * ```text
 *         ┌─ "P" ──► line, at most 107 bytes, to its CRLF ──┐
 * start ──┼─ CR ───► 16 bytes ──► to the length they say ───┼──► header or wrong
 *         └─ else ──────────────────────────────────────────┘
 * ```
 */
export class ProxyReader {
  #bytes = new Uint8Array(V1_MAX_BYTES);
  #length = 0;
  /** Version 2: where the header ends, or its part that says so. */
  #end = V2_FIXED_BYTES;
  #result: ProxyRead = "more";

  /** Goes on with the next segment, of any length. Once the result isn't `"more"`, it stays. */
  push(segment: Uint8Array): ProxyRead {
    for (let taken = 0; taken < segment.length && this.#result === "more";) {
      const judged = this.#judge(segment[taken++]!);
      if (typeof judged === "object") {
        this.#result = { header: judged, length: this.#length, taken };
      } else if (judged !== "more") this.#result = { wrong: judged };
    }
    return this.#result;
  }

  #judge(byte: number): "more" | ProxyHeader | ProxyFault {
    const at = this.#length++;
    this.#bytes[at] = byte;
    const start = this.#bytes[0] === V1_START[0] ? V1_START : V2_START;
    if (at < start.length) return byte === start[at] ? "more" : "not_proxy";
    return start === V1_START ? this.#judgeV1(byte, at) : this.#judgeV2();
  }

  #judgeV1(byte: number, at: number): "more" | ProxyHeader | ProxyFault {
    const afterCr = this.#bytes[at - 1] === CR;
    if (afterCr && byte === LF) return readV1(this.#bytes.subarray(0, at - 1));
    if (afterCr || byte === LF) return "malformed";
    return this.#length === V1_MAX_BYTES ? "too_large" : "more";
  }

  #judgeV2(): "more" | ProxyHeader | ProxyFault {
    if (this.#length < this.#end) return "more";
    if (this.#length === V2_FIXED_BYTES) {
      const end = lengthOfV2(this.#bytes);
      if (typeof end === "string") return end;
      this.#makeRoom(end);
      if (this.#length < end) return "more";
    }
    return readV2(this.#bytes.subarray(0, this.#end));
  }

  #makeRoom(end: number): void {
    this.#end = end;
    if (end <= this.#bytes.length) return;
    const bytes = new Uint8Array(end);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}
