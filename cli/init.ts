import { messageOf } from "../lib/errors.ts";
import type { Output } from "./output.ts";

/** A configuration to start from: two backends behind one port, checks, and the API on this host alone. */
export const starter: string =
  `# Twixt: clients connect to the bind of a server and are passed on to one of its backends.
# Check a change with \`twixt check FILE\`. Times are "250ms", "10s", "1m30s".

[logging]
level = "info"       # trace, debug, info, warn, error
output = "stdout"    # or stderr, or the path of a file
format = "text"      # or json

# The management API. Without credentials it is best kept on this host.
[api]
enabled = true
bind = "127.0.0.1:8888"

#[api.basic_auth]
#login = "admin"
#password = "change me"

# What a server takes where it has no value of its own.
[defaults]
max_connections = 0                  # sessions at the same time; 0 is no limit
client_idle_timeout = "10m"          # ends sessions that were silent for so long; "0" never
backend_connection_timeout = "5s"    # longest wait for a backend to accept

[servers.web]
bind = ":3000"          # all addresses of this host; "127.0.0.1:3000" for this host alone
balance = "weight"      # how a backend is chosen; others: roundrobin, leastconn

[servers.web.discovery]
kind = "static"
static_list = [
  "127.0.0.1:8000 weight=2",                    # gets twice as many sessions as the next
  "127.0.0.1:8001 weight=1",
  "127.0.0.1:8002 priority=2",                  # used when no backend of priority 1 can be
]

# A backend that fails its checks gets no new sessions.
[servers.web.healthcheck]
kind = "ping"           # passes when the backend accepts a connection
interval = "2s"
timeout = "1s"
fails = 3               # failures in a row that take it down
passes = 2              # passes in a row that bring it back

# Who may connect; the first rule that matches decides.
#[servers.web.access]
#default = "deny"
#rules = ["allow 10.0.0.0/8", "allow ::1"]

# Several servers can share one pool of backends: say pool = "app" in each of them instead of balance, discovery and
# healthcheck.
#[pools.app]
#balance = "leastconn"
#[pools.app.discovery]
#kind = "static"
#static_list = ["10.0.0.1:80", "10.0.0.2:80"]
`;

/**
 * `twixt init [FILE]`: prints a commented configuration to start from, or writes it to a file that doesn't exist
 * yet. Answers the exit code: 0, 1 when the file can't be written, 2 when there is one already.
 */
export async function initCommand(file: string | undefined, output: Output): Promise<number> {
  if (file === undefined) {
    output.out(starter);
    return 0;
  }
  try {
    await Deno.writeTextFile(file, starter, { createNew: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      output.err(`${file} exists already\n       name another file, or remove it first\n`);
      return 2;
    }
    output.err(
      `${file} can't be written: ${messageOf(error)}\n       check the path and its rights\n`,
    );
    return 1;
  }
  output.out(`${file} written; next: adapt its backends, then twixt check ${file}\n`);
  return 0;
}
