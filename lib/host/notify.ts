/**
 * What the service manager is told: systemd's notification protocol, sd_notify(3), which podman and others
 * speak, too. Nothing here throws or waits; a manager that can't be reached is one warning in the log.
 */
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";

/** What {@link openNotify} needs beside the manager's address. */
export type NotifyOptions = {
  /** Time in milliseconds within which the manager wants a sign of life; undefined: it wants none. */
  readonly watchdogMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
};

/** Tells the service manager what this process does. Disposing closes its socket after the last message; twice is safe. */
export type Notify = Disposable & {
  /** As in the options; undefined, too, where there is no manager. */
  readonly watchdogMs: number | undefined;
  /** It serves, and is the service's main process: after the start, a reload, a takeover. */
  ready(status: string): void;
  /** A reload begins; {@link ready} ends it. */
  reloading(): void;
  /** It drains, and will end. From now on {@link ready} and {@link reloading} say nothing. */
  stopping(status: string): void;
  /** One line for people. */
  status(text: string): void;
  /** All is well. Call it often: the manager is told at half of its watchdog's time. */
  alive(): void;
  /**
   * Falls silent for good: another process has taken over. `successor` is made the main one, where it is known; the
   * manager's watchdog ends then, as it has told that process nothing of it and would kill it.
   */
  release(successor?: number): void;
};

/** Messages that may wait for a manager that doesn't read; more are dropped. */
const MAX_WAITING = 16;

/**
 * Opens the way to the service manager. The caller disposes it.
 * @param address NOTIFY_SOCKET: a path, or `@` and an abstract name. Undefined: nobody is told anything.
 */
export function openNotify(address: string | undefined, options: NotifyOptions): Notify {
  const sender = address === undefined ? undefined : new Sender(address, options.log);
  return new Notifier(sender, options);
}

class Notifier implements Notify {
  readonly watchdogMs: number | undefined;
  #sender: Sender | undefined;
  #stopping = false;
  #aliveAtMs = -Infinity;

  constructor(sender: Sender | undefined, readonly options: NotifyOptions) {
    this.#sender = sender;
    this.watchdogMs = sender && options.watchdogMs;
  }

  ready(status: string): void {
    if (!this.#stopping) this.#tell("READY=1", `MAINPID=${Deno.pid}`, statusLine(status));
  }

  reloading(): void {
    if (!this.#stopping) this.#tell("RELOADING=1", ...monotonicLine());
  }

  stopping(status: string): void {
    this.#stopping = true;
    this.#tell("STOPPING=1", statusLine(status));
  }

  status(text: string): void {
    this.#tell(statusLine(text));
  }

  alive(): void {
    const now = this.options.clock.now();
    if (this.watchdogMs === undefined || now - this.#aliveAtMs < this.watchdogMs / 2) return;
    this.#aliveAtMs = now;
    this.#tell("WATCHDOG=1");
  }

  release(successor?: number): void {
    const unwatched = this.watchdogMs === undefined ? [] : ["WATCHDOG_USEC=0"];
    if (successor !== undefined) this.#tell(`MAINPID=${successor}`, ...unwatched);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#sender?.[Symbol.dispose]();
    this.#sender = undefined;
  }

  #tell(...lines: string[]): void {
    this.#sender?.send(lines.join("\n"));
  }
}

/** Sends datagrams in their order. */
class Sender implements Disposable {
  readonly #to: Deno.UnixAddr;
  #socket: Deno.DatagramConn | undefined;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #warned = false;
  #closing = false;

  constructor(readonly address: string, readonly log: Log) {
    this.#to = { transport: "unixpacket", path: address.replace(/^@/, "\0") };
    try {
      this.#socket = anonymousSocket();
    } catch (error) {
      this.#warn(error);
    }
  }

  /** The socket takes one message at a time; the next waits for it, nobody else does. */
  send(text: string): void {
    const socket = this.#socket;
    if (socket === undefined || this.#closing || this.#waiting >= MAX_WAITING) return;
    this.#waiting++;
    const send = async () => {
      try {
        await socket.send(new TextEncoder().encode(text), this.#to);
      } catch (error) {
        this.#warn(error);
      }
      this.#waiting--;
      this.#closeIfDone();
    };
    // at once when none waits, so that what is told just before the end isn't lost
    this.#last = this.#waiting === 1 ? send() : this.#last.then(send);
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    this.log.warning("the service manager can't be told that Twixt runs, reloads or stops", {
      notify_socket: this.address,
      why: messageOf(error),
    });
  }

  [Symbol.dispose](): void {
    this.#closing = true;
    this.#closeIfDone();
  }

  /** Last words go out first. Closing wouldn't end one that a manager doesn't take; the process's end does. */
  #closeIfDone(): void {
    if (!this.#closing || this.#waiting > 0) return;
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** A socket to send from. The runtime wants a path for it; nobody else needs it, so it is gone at once. */
function anonymousSocket(): Deno.DatagramConn {
  const folder = Deno.makeTempDirSync({ prefix: "twixt-" });
  try {
    return Deno.listenDatagram({ transport: "unixpacket", path: `${folder}/notify` });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A line break would begin another assignment. */
function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/\s+/g, " ")}`;
}

/**
 * systemd (253 and later) asks for the monotonic time at which a reload began, to tell it from one before its
 * signal; any time at or after the signal will do. The runtime only has whole seconds since the boot: the next one.
 */
function monotonicLine(): string[] {
  try {
    return [`MONOTONIC_USEC=${(Deno.osUptime() + 1) * 1_000_000}`];
  } catch {
    return []; // not allowed to ask; only the newer kind of service needs it
  }
}
