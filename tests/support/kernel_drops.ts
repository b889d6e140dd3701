import { hasTracing } from "./host.ts";
import { eachLine } from "./process.ts";

/**
 * Counts the clients of a port that the kernel resets by itself, because the listener that they came to was closed in the
 * instant in which their handshake ended. The kernel looks whether the listener is there, makes the connection, and only
 * then puts it into the queue; when the listener has gone in between, it migrates nothing, whatever
 * `net.ipv4.tcp_migrate_req` says (Linux 6.18). Nobody can have accepted them, and nobody who closes a listener can help it.
 *
 * Each is told by the kernel's own trace: a reset that is sent by the function that puts it into the queue. Where there is no
 * tracing, none are counted.
 */
export class KernelDrops implements AsyncDisposable {
  readonly #lines: string[] = [];
  readonly #output: Promise<void>;

  private constructor(readonly holder: Deno.ChildProcess, onUp: () => void) {
    this.#output = eachLine(holder.stdout, (line) => {
      this.#lines.push(line);
      onUp();
    });
  }

  /** Begins to count. */
  static async start(port: number): Promise<KernelDrops> {
    const holder = new Deno.Command("unshare", {
      args: ["-m", "sh", "-c", hasTracing ? SCRIPT : "echo up; cat; echo 0", "sh", String(port)],
      stdin: "piped", // it ends with the test, however that ends
      stdout: "piped",
    }).spawn();
    const { promise: up, resolve, reject } = Promise.withResolvers<void>();
    const drops = new KernelDrops(holder, resolve);
    void drops.#output.then(() => reject(new Error("the kernel can't be traced")));
    try {
      await up;
      return drops;
    } catch (error) {
      await drops[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** How many there were. It counts no more. */
  async count(): Promise<number> {
    await this[Symbol.asyncDispose]();
    return Number(this.#lines[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holder.stdin.close().catch(() => {}); // it was asked for its count, or has ended by itself
    await this.holder.status;
    await this.#output;
  }
}

/** A trace of its own, which nobody else sees and which doesn't outlive it. Lines of two processors may be mixed. */
const SCRIPT = `
mount -t tracefs tracefs /mnt && mkdir "/mnt/instances/twixt-$$" && cd "/mnt/instances/twixt-$$" || exit
echo stacktrace > events/tcp/tcp_send_reset/trigger
echo 1 > events/tcp/tcp_send_reset/enable
echo up
cat
echo 0 > events/tcp/tcp_send_reset/enable
awk -v port="$1" '
  match($0, /\\[[0-9]+\\] /) { cpu = substr($0, RSTART, RLENGTH) }
  / tcp_send_reset: / { ours[cpu] = index($0, ":" port " dest=") }
  / => inet_csk_complete_hashdance/ && ours[cpu] { count++ }
  END { print count + 0 }
' trace
cd /mnt && rmdir "instances/twixt-$$"
`;
