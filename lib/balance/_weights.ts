import type { Member } from "../model.ts";

/** A member's share. Members without weight are a tier of their own, where all count the same. */
export function weightOf(member: Member): number {
  return member.weight > 0 ? member.weight : 1;
}

/** The members' weights in lowest terms: all 1 where all are equal. */
export function shares(members: readonly Member[]): Float64Array {
  const divisor = members.map(weightOf).reduce(greatestCommonDivisor);
  return Float64Array.from(members, (member) => weightOf(member) / divisor);
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}
