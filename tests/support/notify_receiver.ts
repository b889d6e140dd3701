/** A service manager's end of the notification protocol: a program of its own that prints what arrives. */

/** A notification. */
export type Notification = {
  /** Who sent it, as the kernel says. */
  readonly pid: number;
  /** When it was read: microseconds of the monotonic clock. */
  readonly usec: number;
  /** Its assignments: `READY` is "1". */
  readonly fields: Readonly<Record<string, string>>;
};

const PROGRAM = `
import json, socket, sys, time
at, stalled = sys.argv[1], sys.argv[2] == "true"
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
sock.bind("\\0" + at[1:] if at[0] == "@" else at)
print("bound", flush=True)
if stalled: sys.stdin.readline()
while True:
    data, extra, *_ = sock.recvmsg(65536, 1024)
    pid = int.from_bytes(extra[0][2][:4], sys.byteorder)
    fields = dict(line.split("=", 1) for line in data.decode().split("\\n"))
    print(json.dumps({"pid": pid, "usec": time.monotonic_ns() // 1000, "fields": fields}), flush=True)
`;

/** Listens until it is disposed. */
export class NotifyReceiver implements AsyncDisposable {
  /** What has arrived. */
  readonly heard: Notification[] = [];
  readonly #reading: Promise<void>;
  readonly #bound = Promise.withResolvers<void>();
  readonly #watchers = new Set<() => void>();

  private constructor(readonly child: Deno.ChildProcess, readonly address: string) {
    this.#reading = this.#read();
  }

  /**
   * Listens at a path, or at an abstract address: `@` and a name.
   * @param stalled It reads nothing until {@link goOn}.
   */
  static async listen(address: string, stalled = false): Promise<NotifyReceiver> {
    const child = new Deno.Command("python3", {
      args: ["-c", PROGRAM, address, String(stalled)],
      ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
    }).spawn();
    const receiver = new NotifyReceiver(child, address);
    await receiver.#bound.promise;
    return receiver;
  }

  /** Ends a stall. */
  async goOn(): Promise<void> {
    const writer = this.child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("\n"));
    writer.releaseLock();
  }

  /** Resolves with the first notification from number `from` on with these fields; a pattern matches a value. */
  async hear(
    wanted: Readonly<Record<string, string | RegExp>>,
    { from = 0, withinMs = 10_000 } = {},
  ): Promise<Notification> {
    const { promise, resolve, reject } = Promise.withResolvers<Notification>();
    const look = () => {
      const found = this.heard.slice(from).find(({ fields }) =>
        Object.entries(wanted).every(([name, value]) =>
          typeof value === "string" ? fields[name] === value : value.test(fields[name] ?? "")
        )
      );
      if (found !== undefined) resolve(found);
    };
    const fail = () => {
      const said = this.heard.map(({ fields }) => JSON.stringify(fields)).join("\n");
      reject(new Error(`nothing like ${Object.keys(wanted)} arrived; there was:\n${said}`));
    };
    const timer = setTimeout(fail, withinMs);
    this.#watchers.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  /** The fields of all that has arrived. */
  fields(): Notification["fields"][] {
    return this.heard.map(({ fields }) => fields);
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line === "bound") this.#bound.resolve();
        else this.heard.push(JSON.parse(line));
      }
      for (const look of this.#watchers) look();
    }
    this.#bound.reject(new Error(`nobody could listen at ${this.address}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill();
    await this.child.stdin.close();
    await this.child.status;
    await this.#reading;
  }
}
