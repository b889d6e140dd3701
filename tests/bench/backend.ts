/** The nginx that every proxy has behind it. */
import { until } from "../support/backends.ts";
import { freePort, pause } from "../support/clients.ts";
import { Daemon } from "./daemon.ts";

/** Ports that it listens on: so many backends. */
const COUNT = 2;
/** The file that is fetched for bulk. */
const LARGE_BYTES = 100 << 20;
/** Connections that it can have open. */
const CONNECTIONS = 18_000;

/** One nginx with one worker on two ports. Paths are `/small` and `/large`. */
export class Backend implements AsyncDisposable {
  private constructor(
    readonly daemon: Daemon,
    readonly ports: readonly number[],
    readonly statusPort: number,
  ) {}

  /** Starts it, with its files in this folder. */
  static async start(nginx: string, folder: string): Promise<Backend> {
    const ports = Array.from({ length: COUNT }, () => freePort());
    const statusPort = freePort();
    await Deno.writeFile(
      `${folder}/large`,
      new Uint8Array(LARGE_BYTES).fill(0x61),
    );
    await Deno.writeTextFile(
      `${folder}/backend.conf`,
      configuration(folder, ports, statusPort),
    );
    const argv = [
      nginx,
      "-p",
      folder,
      "-c",
      `${folder}/backend.conf`,
      "-e",
      "stderr",
    ];
    return new Backend(
      await Daemon.start({ argv }, statusPort),
      ports,
      statusPort,
    );
  }

  /** `127.0.0.1:port` of each. */
  get addresses(): string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  /** Connections that it has open now. */
  async open(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.statusPort}/`))
      .text();
    return Number(/Active connections: (\d+)/.exec(text)?.[1]);
  }

  /** The same, once nothing comes or goes: what was closed before may take a while to get here. */
  async openAtRest(): Promise<number> {
    let open = await this.open();
    for (let equal = 0; equal < 4;) {
      await pause(50);
      const now = await this.open();
      equal = now === open ? equal + 1 : 0;
      open = now;
    }
    return open;
  }

  /** Resolves when it has at least so many. */
  async hasOpen(count: number): Promise<void> {
    await until(
      async () => await this.open() >= count,
      20_000,
      `${count} connections to backends`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }
}

function configuration(
  folder: string,
  ports: readonly number[],
  statusPort: number,
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const servers = ports.map((port) => `
    server {
      listen 127.0.0.1:${port} backlog=4096;
      root ${folder};
      location = /small { return 200 "a small answer\\n"; }
    }`);
  return `
  daemon off;
  worker_processes 1;
  worker_rlimit_nofile ${CONNECTIONS + 100};
  ${Deno.uid() === 0 ? "user root;" : ""} # the folder is ours
  pid ${folder}/backend.pid;
  events { worker_connections ${CONNECTIONS}; }
  http {
    access_log off;
    sendfile on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_header_timeout 1h;
    ${
    temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(
      "\n    ",
    )
  }
    ${servers.join("")}
    server {
      listen 127.0.0.1:${statusPort};
      location / { stub_status; }
    }
  }`;
}
