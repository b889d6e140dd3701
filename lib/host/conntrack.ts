/** conntrack's program: the connections that the kernel forwards. */
import { runAdmin } from "./admin_program.ts";
import type { RunProgram } from "./program.ts";

/** Connections that clients have begun with one of this host's ports. */
export type FlowFilter = {
  readonly protocol: "tcp" | "udp";
  /** The port that clients have asked for. */
  readonly port: number;
  /** The address that they have asked for; any when left out. */
  readonly address?: string;
  /** Only those that were led to this place. */
  readonly backend?: { readonly address: string; readonly port: number };
};

/** The connections that the kernel forwards. @throws MissingProgramError where the program isn't there, and Error. */
export type Flows = {
  /** Forgets connections: the next packet of each is judged by the rules again. Says how many there were. */
  remove(filter: FlowFilter): Promise<number>;
  /** How many TCP connections were led elsewhere and are open. */
  countOpen(filter: Pick<FlowFilter, "port" | "address">): Promise<number>;
};

/** The connections of the network that this process is in. */
export function flowsBy(run: RunProgram): Flows {
  const conntrack = async (args: readonly string[]): Promise<string> => {
    const { code, ended, stdout, stderr } = await runAdmin(run, ["conntrack", ...args]);
    // it fails where there was nothing to do
    if (code !== 0 && !/ 0 flow entries have been/.test(stderr)) {
      const why = ended ?? (stderr.trim() || `it ended with ${code}`);
      throw new Error(`conntrack: ${why}`);
    }
    return `${stdout}\n${stderr}`;
  };
  return {
    remove: async (filter) => {
      const said = await Promise.all(filtering(filter).map((args) => conntrack(["-D", ...args])));
      return said.reduce((sum, text) => sum + removedIn(text), 0);
    },
    countOpen: async (filter) => {
      const wanted = filtering({ ...filter, protocol: "tcp" });
      const said = await Promise.all(
        wanted.map((args) => conntrack(["-L", ...args, "--state", "ESTABLISHED"])),
      );
      return said.reduce((sum, text) => sum + openIn(text), 0);
    },
  };
}

/** The arguments for a filter, one list for each version of IP that it may mean. */
function filtering({ protocol, port, address, backend }: FlowFilter): string[][] {
  const one = address ?? backend?.address;
  const families = one === undefined ? ["ipv4", "ipv6"] : [one.includes(":") ? "ipv6" : "ipv4"];
  return families.map((family) => [
    ...["-f", family, "-p", protocol, "--orig-port-dst", String(port)],
    ...address === undefined ? [] : ["--orig-dst", address],
    ...backend === undefined ? [] : [
      "--dst-nat", // not those that were begun with the backend itself
      ...["--reply-src", backend.address, "--reply-port-src", String(backend.port)],
    ],
  ]);
}

/** How many it says it has deleted. Pure. */
export function removedIn(text: string): number {
  return Number(/(\d+) flow entries have been deleted/.exec(text)?.[1] ?? 0);
}

/** Connections in a listing that are open and were led elsewhere: those who answer aren't those who were asked. Pure. */
export function openIn(text: string): number {
  return text.split("\n").filter((line) => {
    if (!line.includes(" ESTABLISHED ")) return false;
    const asked = /\bdst=(\S+)/.exec(line)?.[1];
    const answers = [...line.matchAll(/\bsrc=(\S+)/g)][1]?.[1];
    return answers !== asked;
  }).length;
}
