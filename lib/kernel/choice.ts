/** Which backends of a pool get new sessions from the kernel, and in what shares. Pure. */
import { turnsOf } from "../balance/roundrobin.ts";
import { tiersOf } from "../election.ts";
import { backendKey, type Member } from "../model.ts";

/** How a rule draws a number for a new session. */
export type Draw = "random" | "turn" | "hash";

/** A share of the numbers that are drawn: `first` to `last`, both included. */
export type Share = { readonly member: Member; readonly first: number; readonly last: number };

/** Who gets what: numbers are drawn from 0 to `modulus` - 1. */
export type Choice = {
  readonly draw: Draw;
  readonly modulus: number;
  readonly shares: readonly Share[];
};

/** Largest sum of weights; larger ones are scaled down, and nobody falls below 1. */
const MAX_MODULUS = 1 << 30;

const DRAWS: Readonly<Record<string, Draw>> = { roundrobin: "turn", iphash: "hash" };

/**
 * The choice among those of `members` that are usable: of the first priority that has one, as in `lib/election.ts`.
 * Undefined: nobody is usable.
 */
export function choiceOf(
  strategy: string,
  members: readonly Member[],
  usable: (member: Member) => boolean,
): Choice | undefined {
  const [elected] = tiersOf(members.filter(usable));
  if (elected === undefined) return undefined;
  const draw = DRAWS[strategy] ?? "random";
  const shares = draw === "turn" ? inTurn(elected) : byWeight(elected);
  return { draw, modulus: shares.at(-1)!.last + 1, shares };
}

/** Each as many numbers as its weight says, in the order of `host:port`. */
function byWeight(members: readonly Member[]): Share[] {
  const sorted = [...members].sort(inOrder);
  const sum = sorted.reduce((total, member) => total + weightOf(member), 0);
  const scale = Math.min(1, MAX_MODULUS / sum);
  let first = 0;
  return sorted.map((member) => {
    const width = Math.max(1, Math.floor(weightOf(member) * scale));
    const share = { member, first, last: first + width - 1 };
    first += width;
    return share;
  });
}

/** One number a turn, so that turns of one backend are spread. */
function inTurn(members: readonly Member[]): Share[] {
  return [...turnsOf(members)].map((index, turn) => ({
    member: members[index]!,
    first: turn,
    last: turn,
  }));
}

/** Members without weight are a tier of their own, where all count the same. */
function weightOf({ weight }: Member): number {
  return weight > 0 ? weight : 1;
}

function inOrder(a: Member, b: Member): number {
  const [one, other] = [backendKey(a), backendKey(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}
