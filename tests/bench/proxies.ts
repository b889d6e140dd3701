/** The proxies that are compared. A new one is an entry here. */
import { find } from "../support/real.ts";
import type { Certificate } from "../support/certificates.ts";
import { fromFileUrl } from "../support/paths.ts";
import { shell } from "../support/twixt.ts";
import type { Command } from "./daemon.ts";

/** Where a proxy listens and leads to. */
export type Place = {
  /** For files of its own. */
  readonly folder: string;
  readonly port: number;
  /** `127.0.0.1:port`. */
  readonly backends: readonly string[];
  /** For large files, where a proxy has to be told. */
  readonly bulk?: boolean;
  /** It forwards datagrams instead of connections. */
  readonly datagrams?: boolean;
  /** It speaks TLS with clients, and shows this. */
  readonly certificate?: Certificate;
};

/** A proxy that may be here. */
export type Proxy = {
  readonly id: string;
  /** What it is called in tables. */
  readonly label: string;
  /** Its program, undefined where it is missing. */
  readonly program: string | undefined;
  /** A command that installs it. */
  readonly install: string;
  /** Prints its version. */
  readonly versionArgs: readonly string[];
  /** How to start it; may write files. */
  command(program: string, place: Place): Promise<Command>;
  /** Runs on two cores, so it is compared with itself on one only. */
  readonly twoWorkers?: boolean;
  /** Large files go through a process of their own. */
  readonly apartForBulk?: boolean;
  /** It is compared as one that speaks TLS, too. */
  readonly tls?: boolean;
  /** It is compared as one that forwards datagrams, too. */
  readonly datagrams?: boolean;
};

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const RELAY = fromFileUrl(new URL("../support/bare_relay.ts", import.meta.url));
const UDP_RELAY = fromFileUrl(new URL("../support/bare_udp_relay.ts", import.meta.url));

/** Sessions that each can take, with two descriptors each. */
const SESSIONS = 8_000;
/** The buffers of the bare loop: where they don't matter, and where they do. */
const SMALL_BYTES = 1 << 10;
const LARGE_BYTES = 1 << 18;

const haproxy: Proxy = {
  id: "haproxy",
  label: "HAProxy",
  program: find("haproxy"),
  install: "apt-get install -y haproxy",
  versionArgs: ["-v"],
  tls: true,
  async command(program, { folder, port, backends, certificate }) {
    const servers = backends.map((address, index) => `  server backend${index} ${address}`);
    const ssl = certificate === undefined ? "" : ` ssl crt ${await together(certificate)}`;
    const file = `${folder}/haproxy-${port}.conf`;
    await Deno.writeTextFile(
      file,
      `global
  nbthread 1
  maxconn ${SESSIONS}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:${port} backlog 4096${ssl}
  balance roundrobin
${servers.join("\n")}
`,
    );
    return { argv: [program, "-db", "-f", file] };
  },
};

const nginx: Proxy = {
  id: "nginx",
  label: "nginx stream",
  program: hasStream() ? find("nginx") : undefined,
  install: "apt-get install -y nginx libnginx-mod-stream",
  versionArgs: ["-v"],
  datagrams: true,
  async command(program, { folder, port, backends, datagrams }) {
    const module = await streamModule(program);
    const file = `${folder}/nginx-${port}.conf`;
    await Deno.writeTextFile(
      file,
      `${module === "" ? "" : `load_module ${module};`}
daemon off;
worker_processes 1;
worker_rlimit_nofile ${2 * SESSIONS + 100};
pid ${folder}/nginx-${port}.pid;
events { worker_connections ${2 * SESSIONS}; }
stream {
  access_log off;
  proxy_timeout 1h;
  upstream bench { ${backends.map((address) => `server ${address};`).join(" ")} }
  server { listen 127.0.0.1:${port} ${datagrams ? "udp" : "backlog=4096"}; proxy_pass bench; }
}
`,
    );
    return { argv: [program, "-p", folder, "-c", file, "-e", "stderr"] };
  },
};

const gobetween: Proxy = {
  id: "gobetween",
  label: "gobetween",
  program: Deno.env.get("GOBETWEEN_BIN") || undefined,
  install: "GOBETWEEN_BIN=…/gobetween, from https://github.com/yyyar/gobetween/releases",
  versionArgs: ["--version"],
  datagrams: true,
  async command(program, place) {
    const file = await gobetweenFile("gobetween", place);
    return { argv: [program, "-c", file], env: { GOMAXPROCS: "1" } };
  },
};

const bare: Proxy = {
  id: "bare",
  label: "bare loop",
  program: Deno.execPath(),
  install: "",
  versionArgs: ["--version"],
  apartForBulk: true,
  tls: true,
  datagrams: true,
  async command(program, { port, backends, bulk, certificate, datagrams }) {
    // as the program is run, but for permissions
    const flags = (await startTask()).filter((word) => word.startsWith("--v8-flags"));
    const backend = backends[0]!.split(":")[1]!;
    const bytes = String(bulk ? LARGE_BYTES : SMALL_BYTES);
    return {
      argv: [
        program,
        "run",
        "--no-prompt",
        ...flags,
        "-N",
        "-R",
        datagrams ? UDP_RELAY : RELAY,
        backend,
        String(port),
        ...datagrams ? [] : [bytes],
        ...certificate === undefined ? [] : [certificate.cert, certificate.key],
      ],
    };
  },
};

const twixt = (id: string, label: string, workers: number): Proxy => ({
  id,
  label,
  program: Deno.execPath(),
  install: "",
  versionArgs: ["--version"],
  twoWorkers: workers === 2,
  tls: workers === 1,
  datagrams: workers === 1,
  async command(program, place) {
    const args = (await startTask()).map((word) => word === "main.ts" ? `${ROOT}main.ts` : word);
    return {
      argv: [program, ...args, "-c", await gobetweenFile(id, place, workers)],
    };
  },
});

const compiled: Proxy = {
  id: "compiled",
  label: "Twixt, compiled",
  program: Deno.env.get("TWIXT_BIN") || executable(`${ROOT}dist/twixt`),
  install: "deno task compile",
  versionArgs: ["version"],
  datagrams: true,
  async command(program, place) {
    return { argv: [program, "-c", await gobetweenFile("compiled", place, 1)] };
  },
};

/** In the order of the tables. */
export const proxies: readonly Proxy[] = [
  haproxy,
  nginx,
  gobetween,
  bare,
  twixt("twixt", "Twixt, `deno run`", 1),
  compiled,
  twixt("twixt2", "Twixt, 2 workers", 2),
];

/** The file with certificate and key that HAProxy wants. */
async function together({ cert, key }: Certificate): Promise<string> {
  const file = `${cert}.haproxy`;
  await Deno.writeTextFile(file, await Deno.readTextFile(cert) + await Deno.readTextFile(key));
  return file;
}

/** A configuration that gobetween and Twixt both understand. */
async function gobetweenFile(
  name: string,
  place: Place,
  workers?: number,
): Promise<string> {
  const file = `${place.folder}/${name}-${place.port}.toml`;
  const { certificate, datagrams } = place;
  const tls = certificate === undefined
    ? ""
    : `[servers.bench.tls]\ncert_path = "${certificate.cert}"\nkey_path = "${certificate.key}"\n`;
  await Deno.writeTextFile(
    file,
    `${workers === undefined ? "" : `workers = ${workers}`}
[servers.bench]
bind = "127.0.0.1:${place.port}"
protocol = "${datagrams ? "udp" : "tcp"}"
client_idle_timeout = "1h"
balance = "roundrobin"
[servers.bench.discovery]
kind = "static"
static_list = ${JSON.stringify(place.backends)}
${tls}`,
  );
  return file;
}

/** The words of the task `start` after `deno`, so that what is measured is what is run. */
async function startTask(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const words: string[] = tasks.start.split(" ").slice(1);
  return [words[0]!, "--config", `${ROOT}deno.json`, ...words.slice(1)];
}

function hasStream(): boolean {
  const program = find("nginx");
  if (program === undefined) return false;
  const said = nginxBuild(program);
  if (!said.includes("--with-stream")) return false;
  const module = modulePath(said);
  return module === "" || executable(module) !== undefined;
}

/** The file of nginx's stream module, empty where it is built in. */
function streamModule(program: string): Promise<string> {
  return Promise.resolve(modulePath(nginxBuild(program)));
}

function nginxBuild(program: string): string {
  const { stderr } = new Deno.Command(program, { args: ["-V"] }).outputSync();
  return new TextDecoder().decode(stderr);
}

function modulePath(build: string): string {
  if (!build.includes("--with-stream=dynamic")) return "";
  const [, folder = "/usr/lib/nginx/modules"] = /--modules-path=(\S+)/.exec(build) ?? [];
  return `${folder}/ngx_stream_module.so`;
}

function executable(file: string): string | undefined {
  try {
    return Deno.statSync(file).isFile ? file : undefined;
  } catch {
    return undefined; // NotFound
  }
}

/** A proxy's version in a few words. */
export async function versionOf(proxy: Proxy): Promise<string> {
  const said = await shell(
    `"${proxy.program}" ${proxy.versionArgs.join(" ")} 2>&1 | head -n 1`,
  );
  return /\d+\.\d+(\.\d+)?/.exec(said)?.[0] ?? said;
}
