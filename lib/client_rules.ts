/** Which clients a certificate lets in. Pure. */
import { canonicalIp, isIp } from "./address.ts";

/** What a rule may begin with: what certificates say of their subject, and their alternative names. */
export const FACTS: readonly string[] = [
  ...["CN=", "O=", "OU=", "C=", "ST=", "L=", "DC=", "serialNumber=", "emailAddress="],
  ...["DNS:", "URI:", "email:", "IP:"],
];

/** Why a rule can't be used; undefined: it can. */
export function wrongRule(rule: string): string | undefined {
  const fact = FACTS.find((each) => rule.startsWith(each));
  if (fact === undefined) {
    return `begins with none of ${FACTS.join(" ")}\nwrite "CN=alice" or "DNS:*.example.com"`;
  }
  if (rule.length === fact.length) return "says nothing\nwrite a value behind it";
  if (fact === "IP:" && !rule.includes("*") && !isIp(rule.slice(3))) {
    return 'is not an address\nwrite one, as in "IP:10.0.0.1"; networks can be routes or access rules';
  }
  return rule.split("*").length > 2 ? "has more than one *\nwrite one, or none" : undefined;
}

/** Compiles rules into a test of what a certificate says. Without rules, everybody passes. */
export function compileRules(rules: readonly string[]): (facts: readonly string[]) => boolean {
  const tests = rules.map(compile);
  return (facts) => tests.length === 0 || facts.some((fact) => tests.some((test) => test(fact)));
}

/** `*` stands for anything; names of hosts are compared in any case. */
function compile(rule: string): (fact: string) => boolean {
  const [start = "", end] = folded(rule).split("*");
  return (fact) => {
    const text = folded(fact);
    if (end === undefined) return text === start;
    return text.length >= start.length + end.length && text.startsWith(start) && text.endsWith(end);
  };
}

function folded(text: string): string {
  if (text.startsWith("IP:") && isIp(text.slice(3))) return `IP:${canonicalIp(text.slice(3))}`;
  return text.startsWith("DNS:") ? text.toLowerCase() : text;
}
