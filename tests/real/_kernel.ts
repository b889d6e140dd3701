/** Twixt in a network between others, with servers that the kernel forwards. */
import assert from "node:assert/strict";
import { until } from "../support/backends.ts";
import { isRoot, works } from "../support/host.ts";
import type { Networks } from "../support/networks.ts";
import { needs } from "../support/real.ts";
import { Twixt } from "../support/twixt.ts";

const able = needs(["ip", "nft", "conntrack", "curl", "sysctl", "setpriv"]);
export const options = {
  ignore: able.ignore || !isRoot || !works("ip netns add twixt-try && ip netns del twixt-try"),
  timeout: 90_000,
};

export type Section = Record<string, unknown>;

/** A server of TCP on port 80 that the kernel forwards. */
export function web(backends: readonly string[], more: Section = {}): Section {
  const discovery = { kind: "static", static_list: backends };
  return { bind: ":80", forward: "kernel", balance: "roundrobin", discovery, ...more };
}

/** The same of UDP on port 53, transparent. */
export function dns(backends: readonly string[], more: Section = {}): Section {
  const { forward: _, ...rest } = web(backends);
  return { ...rest, bind: ":53", protocol: "udp", udp: { transparent: true }, ...more };
}

export function config(servers: Record<string, Section>) {
  return { workers: 1, api: { enabled: true, bind: "127.0.0.1:8888" }, servers };
}

/** Twixt between the networks, with its API there as well. */
export async function start(networks: Networks, servers: Record<string, Section>): Promise<Twixt> {
  return await Twixt.start({ config: config(servers), wrap: networks.wrap });
}

/** Asks the API, which only the balancer's network reaches. */
export async function api(networks: Networks, path: string, method = "GET", body = {}) {
  const args = method === "GET" ? [] : ["-X", method, "--json", JSON.stringify(body)];
  const url = `http://127.0.0.1:8888${path}`;
  return JSON.parse((await networks.in("balancer", "curl", "-sS", ...args, url)) || "null");
}

/** The tables in the balancer's kernel. */
export async function tables(networks: Networks): Promise<string[]> {
  const text = await networks.in("balancer", "nft", "list", "tables");
  return text.split("\n").filter((line) => line !== "").map((line) => line.split(" ").at(-1)!);
}

/** How long it takes until this is so, in milliseconds; fails after 500. */
export async function within500(what: string, reached: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  await until(reached, 5_000, what);
  const ms = Math.round(performance.now() - startedAt);
  console.log(`${what}: ${ms} ms`);
  assert(ms < 500, `${what}: ${ms} ms`);
}
