/** Real programs for tests: found, or the test skipped; started, or run to the end. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

/** A program by name, and its arguments. */
export type Argv = readonly [program: string, ...args: (string | number)[]];

/** Debian's package of a program, where it isn't named like it; `setup.sh` in tests/real/ has the whole list. */
const PACKAGES: Readonly<Record<string, string>> = {
  initdb: "postgresql",
  postgres: "postgresql",
  psql: "postgresql",
  pgbench: "postgresql-contrib",
  "redis-cli": "redis-tools",
  "redis-benchmark": "redis-tools",
  sshd: "openssh-server",
  ssh: "openssh-client",
  "ssh-keygen": "openssh-client",
  "ssh-keyscan": "openssh-client",
  setpriv: "util-linux",
  dnsmasq: "dnsmasq-base",
  kdig: "knot-dnsutils",
  dockerd: "docker.io",
  docker: "docker.io",
  busybox: "busybox-static",
  "iptables-save": "iptables",
  "ip6tables-save": "iptables",
  ip: "iproute2",
  sysctl: "procps",
  umount: "mount",
  lxc: "lxd",
  nft: "nftables",
  "pebble-challtestsrv": "pebble",
};

/**
 * Options of tests that need these programs. Where one is missing the tests are skipped, and what installs it is said;
 * with TWIXT_REQUIRE_REAL=1 it throws instead, which fails the file.
 */
export function needs(programs: readonly string[]): { readonly ignore: boolean } {
  const missing = programs.filter((program) => find(program) === undefined);
  if (missing.length === 0) return { ignore: false };
  const packages = new Set(missing.map((program) => PACKAGES[program] ?? program));
  const message = `these tests need ${missing.join(", ")}, not found here\n` +
    `install: apt-get install -y ${[...packages].join(" ")} (everything: tests/real/setup.sh)`;
  if (Deno.env.get("TWIXT_REQUIRE_REAL") === "1") throw new Error(message);
  console.warn(`skipped: ${message}`);
  return { ignore: true };
}

/** The path of a program, undefined where there is none. Daemons are outside an ordinary user's PATH, PostgreSQL's outside everybody's. */
export function find(program: string): string | undefined {
  const path = (Deno.env.get("PATH") ?? "").split(":");
  const folders = [...path, "/usr/local/sbin", "/usr/sbin", "/sbin", ...postgresFolders()];
  return folders.map((folder) => `${folder}/${program}`).find((file) => {
    try {
      return Deno.statSync(file).isFile;
    } catch {
      return false; // NotFound, or a folder that we may not look into
    }
  });
}

function postgresFolders(): string[] {
  const root = "/usr/lib/postgresql";
  try {
    const versions = [...Deno.readDirSync(root)].map(({ name }) => name);
    return versions.sort((a, b) => Number(b) - Number(a)).map((name) => `${root}/${name}/bin`);
  } catch {
    return []; // NotFound
  }
}

/** Runs a program to the end and gives what it wrote, errors last. Fails where it does, or takes longer. */
export async function run(argv: Argv, input = "", limitMs = 120_000): Promise<string> {
  const ran = await runHashed(argv, input, limitMs);
  return ran.text + ran.err;
}

/** What a program wrote: its size and SHA-256; the text only up to 1 MiB. */
export type Hashed = {
  readonly bytes: number;
  readonly sha256: string;
  readonly text: string;
  readonly err: string;
};

/** Like {@link run}, for outputs too long to keep. */
export async function runHashed(argv: Argv, input = "", limitMs = 120_000): Promise<Hashed> {
  const child = spawn(argv, "piped");
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  const fed = feed(child.stdin, input);
  const [out, err] = await Promise.all([digest(child.stdout), digest(child.stderr), fed]);
  const { code, signal } = await child.status;
  clearTimeout(timer);
  const said = `${out.text}${err.text}`.slice(-4_000);
  assert.equal(code, 0, `${argv.join(" ")} ended with ${signal ?? code}:\n${said}`);
  return { ...out, err: err.text };
}

/** Starts a program with its outputs piped. */
export function spawn([program, ...args]: Argv, stdin: "piped" | "null"): Deno.ChildProcess {
  return new Deno.Command(find(program) ?? program, {
    args: args.map(String),
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function feed(stdin: WritableStream<Uint8Array>, input: string): Promise<void> {
  try {
    await ReadableStream.from([new TextEncoder().encode(input)]).pipeTo(stdin);
  } catch {
    // BrokenPipe: it has ended, and its exit code tells why
  }
}

async function digest(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<Omit<Hashed, "err">> {
  const hash = createHash("sha256");
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = "";
  for await (const chunk of stream) {
    hash.update(chunk);
    if (bytes < 1_048_576) text += decoder.decode(chunk, { stream: true });
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex"), text };
}
