/** A kernel as nft, conntrack, sysctl and sh show it, in memory. */
import type { Argv, ProgramOptions, Ran } from "../../lib/host/program.ts";
import { MissingProgramError } from "../../lib/host/program.ts";
import type { Json } from "../../lib/kernel/expressions.ts";
import type { ServerTable } from "../../lib/model.ts";

/** A table of nftables'. */
export type FakeTable = {
  readonly counters: Map<string, { packets: number; bytes: number }>;
  readonly chains: Map<string, Json[]>;
};

// deno-lint-ignore no-explicit-any
type Command = Record<string, any>;

/** Does what transactions say, all of it or nothing, as far as our tables need it. */
export class FakeKernel {
  tables = new Map<string, FakeTable>();
  /** What conntrack was told, in order. */
  readonly conntrack: string[] = [];
  /** Programs that were run, by name. */
  readonly ran: string[] = [];
  /** Transactions that were done. */
  transactions = 0;
  /** What nft says instead of doing anything. */
  broken = "";
  /** Programs that aren't there. */
  readonly missing = new Set<string>();
  /** When processes started, by number; they run. */
  readonly starts = new Map<number, number>();
  namespace = "7";
  /** Nobody tells which processes run. */
  mute = false;
  /** What conntrack lists. */
  flows = "";
  readonly sysctls = new Map<string, string>();

  /** In place of `runProgram`. */
  readonly run = (argv: Argv, _signal: AbortSignal, options: ProgramOptions = {}): Promise<Ran> => {
    const [program = "", ...args] = argv;
    const name = program.split("/").at(-1)!;
    if (this.missing.has(name)) return Promise.reject(new MissingProgramError(program));
    this.ran.push(name);
    return Promise.resolve(this.#programs[name]!(args, options.input ?? ""));
  };

  readonly #programs: Readonly<Record<string, (args: string[], input: string) => Ran>> = {
    nft: (args, input) => {
      if (this.broken !== "") return failed(this.broken);
      return args.includes("list") ? said(this.#listing()) : this.#transact(JSON.parse(input));
    },
    conntrack: (args) => {
      this.conntrack.push(args.join(" "));
      if (args[0] === "-L") return said(this.flows);
      return failed("conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.");
    },
    sh: (args) => {
      const pids = args.slice(3).map(Number).filter((pid) => this.starts.has(pid));
      const lines = pids.map((pid) => `${pid} ${this.starts.get(pid)}`);
      if (this.mute) return said("");
      return said([`pid:[${this.namespace}]`, ...lines, "end", ""].join("\n"));
    },
    sysctl: (args) => said(`${this.sysctls.get(args[1]!) ?? "1"}\n`),
  };

  /** Lets a counter count. */
  counted(table: string, counter: string, packets: number, bytes = 0): void {
    const count = this.tables.get(table)!.counters.get(counter)!;
    count.packets += packets;
    count.bytes += bytes;
  }

  #listing(): string {
    const counters = [...this.tables].flatMap(([table, { counters }]) =>
      [...counters].map(([name, count]) => ({
        counter: { family: "inet", table, name, ...count },
      }))
    );
    return JSON.stringify({ nftables: [{ metainfo: {} }, ...counters] });
  }

  #transact({ nftables }: { nftables: Command[] }): Ran {
    const before = this.tables;
    this.tables = new Map(
      [...before].map(([name, { counters, chains }]) => [name, {
        counters: new Map([...counters].map(([key, count]) => [key, { ...count }])),
        chains: new Map([...chains].map(([key, rules]) => [key, [...rules]])),
      }]),
    );
    try {
      for (const command of nftables) this.#do(command);
    } catch (error) {
      this.tables = before;
      return failed(`Error: ${(error as Error).message}`);
    }
    this.transactions++;
    return said("");
  }

  #do(command: Command): void {
    const [verb, object] = Object.entries(command)[0]!;
    const [what, fields] = Object.entries(object as Command)[0]!;
    if (what === "table") return this.#table(verb, fields.name);
    const table = this.tables.get(fields.table);
    if (table === undefined) throw new Error("No such file or directory");
    if (what === "rule") {
      table.chains.get(fields.chain)!.push(fields.expr);
    } else if (verb === "delete") {
      const place = what === "counter" ? table.counters : table.chains;
      if (!place.delete(fields.name)) throw new Error("No such file or directory");
    } else if (what === "counter" && !table.counters.has(fields.name)) {
      table.counters.set(fields.name, { packets: 0, bytes: 0 });
    } else if (what === "chain" && !table.chains.has(fields.name)) {
      table.chains.set(fields.name, []);
    }
  }

  #table(verb: string, name: string): void {
    if (verb === "add") {
      if (!this.tables.has(name)) this.tables.set(name, { counters: new Map(), chains: new Map() });
    } else if (!this.tables.has(name)) throw new Error("No such file or directory");
    else if (verb === "delete") this.tables.delete(name);
    else {for (const chain of this.tables.get(name)!.chains.keys()) {
        this.tables.get(name)!.chains.set(chain, []);
      }}
  }
}

function said(stdout: string): Ran {
  return { code: 0, ended: undefined, stdout, stderr: "" };
}

function failed(stderr: string): Ran {
  return { code: 1, ended: undefined, stdout: "", stderr };
}

/** The table of a server that the kernel forwards. */
export function forwarded(facts: Partial<ServerTable> = {}): ServerTable {
  return {
    ...{ name: "web", protocol: "tcp", pool: "pool", maxConnections: 0 },
    limits: {
      ...{ clientIdleMs: 0, backendIdleMs: 0, halfCloseMs: 1, dialMs: 1, dialBudgetMs: 1 },
      ...{ dialAttempts: 1, bufferMaxBytes: 1 },
    },
    access: { allowByDefault: true, rules: [] },
    ...{ onRemove: "finish", slot: 2, hostname: "::", port: 80, keyWidth: 16 },
    forward: "masquerade",
    ...facts,
  };
}
