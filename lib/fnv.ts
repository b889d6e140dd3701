/** FNV-1a, 32 bits (draft-eastlake-fnv, section 2): what gobetween hashes clients with. */

/** The hash of no bytes at all. */
export const FNV_OFFSET = 2166136261;
const FNV_PRIME = 16777619;

/** One more byte. Returns a 32-bit integer, perhaps negative. */
export function fnvStep(state: number, byte: number): number {
  return Math.imul(state ^ byte, FNV_PRIME);
}

/** Goes on hashing: `hash` is what the bytes before gave. Returns an unsigned integer. */
export function fnv1a(bytes: Uint8Array, hash: number = FNV_OFFSET): number {
  let state = hash;
  for (let i = 0; i < bytes.length; i++) state = fnvStep(state, bytes[i]!);
  return state >>> 0;
}
