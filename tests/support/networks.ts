/** Networks of a test's own: a client, a balancer between, and backends, each with a link to the balancer alone. */
import { eachLine } from "./process.ts";
import { fromFileUrl } from "./paths.ts";
import { find, run } from "./real.ts";

/** The port of every backend. */
export const PORT = 8000;

const PEER = fromFileUrl(new URL("./network_peer.ts", import.meta.url));
const PREFIX = "twixt";

/** Addresses of a role's own end and of the balancer's end of its link. */
function addressesOf(index: number) {
  return {
    own: [`10.99.${index}.2`, `fd99:${index}::2`],
    balancer: [`10.99.${index}.1`, `fd99:${index}::1`],
  } as const;
}

/** What the balancer is asked by, for clients. */
export const BALANCER = { ip: "10.99.0.1", ip6: "fd99:0::1" } as const;
/** The client's own addresses. */
export const CLIENT = { ip: "10.99.0.2", ip6: "fd99::2" } as const;
/** Where backends are, by number from 1. */
export const backendAt = (number: number) => `10.99.${number}.2:${PORT}`;
/** The same by IPv6. */
export const backendAt6 = (number: number) => `[fd99:${number}::2]:${PORT}`;

/** Networks, and the programs in them. Dispose it when Twixt has ended. */
export class Networks implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #roles: readonly string[];

  private constructor(readonly backends: number) {
    this.#roles = ["client", ...Array.from({ length: backends }, (_, i) => `b${i + 1}`)];
  }

  /** Makes them, and removes what tests have left that were killed. */
  static async make(backends = 2): Promise<Networks> {
    await sweep();
    const networks = new Networks(backends);
    try {
      await networks.#make();
      return networks;
    } catch (error) {
      await networks[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The name of a role's network: `client`, `balancer`, `b1`, `b2` … */
  name(role: string): string {
    return `${PREFIX}-${Deno.pid}-${role}`;
  }

  /** A shell command that runs a program at the balancer: see `RunOptions`. */
  get wrap(): string {
    return `exec ip netns exec ${this.name("balancer")} {}`;
  }

  /** Runs a program to its end in a network; its output. */
  in(role: string, ...argv: readonly string[]): Promise<string> {
    return run(["ip", "netns", "exec", this.name(role), ...argv]);
  }

  /** A client in its network. */
  async client(): Promise<NetworkClient> {
    return this.#stack.use(new NetworkClient(await this.#peer("client", ["client"])));
  }

  /** A backend, by number from 1, that says its name `b1`, `b2` … Dispose it, or leave that to the networks. */
  async backend(number: number): Promise<Peer> {
    const role = `b${number}`;
    const peer = this.#stack.use(await this.#peer(role, ["backend", role, String(PORT)]));
    await peer.line();
    return peer;
  }

  async #peer(role: string, args: readonly string[]): Promise<Peer> {
    const program = [Deno.execPath(), "run", "--no-prompt", "--quiet", "--no-check", "--no-config"];
    const flags = ["--unstable-net", "-N", PEER];
    const argv = ["ip", "netns", "exec", this.name(role), ...program, ...flags, ...args];
    return await Promise.resolve(new Peer(argv));
  }

  async #make(): Promise<void> {
    const balancer = this.name("balancer");
    await this.#add(balancer);
    for (const [index, role] of this.#roles.entries()) {
      const name = this.name(role);
      const link = `v-${role}`;
      await this.#add(name);
      const { own, balancer: other } = addressesOf(index);
      const script = `
ip link add ${link} netns ${name} type veth peer name ${link} netns ${balancer}
for at in "${name} ${own[0]} ${own[1]}" "${balancer} ${other[0]} ${other[1]}"; do
  set -- $at
  ip -n $1 addr add $2/24 dev ${link}
  ip -n $1 addr add $3/64 dev ${link} nodad
  ip -n $1 link set ${link} up
done
ip -n ${name} route add default via ${other[0]}
ip -n ${name} -6 route add default via ${other[1]}`;
      await run(["sh", "-ec", script]);
    }
    await this.in("balancer", "sysctl", "-qw", ...FORWARDING);
  }

  async #add(name: string): Promise<void> {
    await run(["ip", "netns", "add", name]);
    this.#stack.defer(() => run(["ip", "netns", "del", name]).then(() => {}));
    await run(["ip", "-n", name, "link", "set", "lo", "up"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const FORWARDING = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];

/** A program in a network. Dispose it: it is killed. */
export class Peer implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: string[] = [];
  readonly #reading: Promise<unknown>;
  #wake = Promise.withResolvers<void>();
  #ended = false;

  constructor(argv: readonly string[]) {
    // should the test be killed, the kernel ends what it has started
    this.child = new Deno.Command(find("setpriv")!, {
      args: ["--pdeathsig=KILL", "--", ...argv],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.child.stdin.getWriter();
    this.#reading = eachLine(this.child.stdout, (line) => {
      this.#lines.push(line);
      this.#wake.resolve();
    }).then(() => {
      this.#ended = true;
      this.#wake.resolve();
    });
  }

  /** Its next line. */
  async line(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#ended) throw new Error("the program in the network has ended");
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
    return this.#lines.shift()!;
  }

  async write(line: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    await this.child.status;
    await this.#reading;
    await this.#writer.abort().catch(() => {}); // its pipe has broken
  }
}

/** A client in a network, which does one thing at a time. */
export class NetworkClient implements AsyncDisposable {
  constructor(readonly peer: Peer) {}

  /** Does what `network_peer.ts` can; throws with the name of the error that it met. */
  // deno-lint-ignore no-explicit-any
  async do(what: string, hostname: string = BALANCER.ip, port = 80, count = 1): Promise<any> {
    await this.peer.write(JSON.stringify({ what, place: { hostname, port }, count }));
    const answer = JSON.parse(await this.peer.line());
    if ("error" in answer) throw new Error(answer.error);
    return answer.value;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer[Symbol.asyncDispose]();
  }
}

/** Removes networks of test processes that have ended without doing so. */
async function sweep(): Promise<void> {
  const names = (await run(["ip", "netns", "list"])).split("\n").map((line) => line.split(" ")[0]!);
  for (const name of names) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || await alive(pid)) continue;
    await run(["ip", "netns", "del", name]);
  }
}

async function alive(pid: string): Promise<boolean> {
  const command = new Deno.Command("kill", { args: ["-0", pid], stderr: "null" });
  return (await command.output()).success;
}
