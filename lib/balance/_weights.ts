import type { Member } from "../model.ts";

/** A member's share. Members without weight are a tier of their own, where all count the same. */
export function weightOf(member: Member): number {
  return member.weight > 0 ? member.weight : 1;
}
