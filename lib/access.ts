import { type Cidr, holds, parseCidr, parseIPv4, parseIPv6, unmap } from "./address.ts";
import type { AccessRule, AccessSpec } from "./model.ts";

type Rule = { readonly allow: boolean; readonly cidr: Cidr };

/**
 * Who may connect, as a function of the client's address that is called for every connection. The first rule that
 * matches decides. IPv4 rules match IPv4-mapped clients; an address that is none is judged by the default alone.
 * Without rules it costs nothing.
 *
 * @throws RangeError for a rule whose network is none; a loaded configuration has no such rule.
 */
export function compileAccess(spec: AccessSpec): (ip: string) => boolean {
  const { allowByDefault } = spec;
  if (spec.rules.length === 0) return () => allowByDefault;
  const rules = spec.rules.map(compileRule);
  return (ip) => {
    const v4 = parseIPv4(unmap(ip));
    const words = v4 >= 0 ? undefined : parseIPv6(ip);
    for (const { allow, cidr } of rules) {
      if (cidr.family === 4) {
        if (v4 >= 0 && ((v4 & cidr.mask) >>> 0) === cidr.base) return allow;
      } else if (words !== undefined && holds(cidr.base, cidr.mask, words)) return allow;
    }
    return allowByDefault;
  };
}

function compileRule(rule: AccessRule): Rule {
  const cidr = parseCidr(rule.cidr);
  if (cidr === undefined) throw new RangeError(`"${rule.cidr}" is not a network`);
  return { allow: rule.allow, cidr };
}

/**
 * A rule as configurations write it: `allow 10.0.0.0/8`, `deny ::1`. A string says what is wrong, and after a line
 * break what to do.
 */
export function parseAccessRule(text: string): AccessRule | string {
  const [verb = "", cidr = "", ...rest] = text.trim().split(/\s+/);
  const shown = JSON.stringify(text);
  if ((verb !== "allow" && verb !== "deny") || cidr === "" || rest.length > 0) {
    return `${shown} is not a rule\nwrite "allow NETWORK" or "deny NETWORK", for example "allow 10.0.0.0/8"`;
  }
  if (parseCidr(cidr) === undefined) {
    return `${shown}: "${cidr}" is not an address or network\nfor example "${verb} 10.0.0.0/8" or "${verb} ::1"`;
  }
  return { allow: verb === "allow", cidr };
}
