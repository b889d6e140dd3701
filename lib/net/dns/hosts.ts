import { isIP } from "node:net";
import type { Family } from "./addresses.ts";

const HOSTS_FILE = "/etc/hosts";

/** The addresses that a hosts file gives a name: by default IPv4 ones, or IPv6 where there is no other. Pure. */
export function fromHosts(text: string, host: string, family: Family = "any"): string[] {
  const wanted = host.toLowerCase();
  const found = text.split("\n")
    .map((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter(([address, ...names]) =>
      isIP(address ?? "") !== 0 && names.some((name) => name.toLowerCase() === wanted)
    )
    .map(([address]) => address!);
  const [v4, v6] = [4, 6].map((version) => found.filter((address) => isIP(address) === version));
  const wantsV4 = family === "any" ? v4!.length > 0 : family === "ipv4";
  return [...new Set(wantsV4 ? v4 : v6)];
}

/** The hosts file's text; empty where there is none. */
export async function hostsFile(): Promise<string> {
  try {
    return await Deno.readTextFile(HOSTS_FILE);
  } catch {
    return ""; // not every system has one
  }
}
