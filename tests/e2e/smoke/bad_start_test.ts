/** Whatever keeps the program from starting: its exit code, and a message that says what to do. */
import assert from "node:assert/strict";
import { isRoot, works } from "../../support/host.ts";
import { runTwixt } from "../../support/twixt.ts";

/** A start that fails: `$FOLDER` is a folder of its own, `$TAKEN` a port that somebody has. */
type Case = {
  readonly what: string;
  /** The file's text; without one the arguments name something else. */
  readonly text?: string;
  readonly args?: readonly string[];
  readonly wrap?: string;
  readonly code: number;
  /** What standard error must say: what is wrong, and what to do. */
  readonly says: readonly string[];
  readonly ignore?: boolean;
};

const good = `
[servers.web]
bind = "127.0.0.1:0"
[servers.web.discovery]
kind = "static"
static_list = ["127.0.0.1:1"]
`;
const file = "$FOLDER/twixt.toml";

/** Root may read and bind everything, unless these capabilities are gone. */
const unprivileged = isRoot
  ? "exec setpriv --bounding-set=-net_bind_service,-dac_override,-dac_read_search {}"
  : "exec {}";
const canLosePrivileges = !isRoot || works("setpriv --bounding-set=-net_bind_service true");
const lowPortsReserved = works('[ "$(sysctl -n net.ipv4.ip_unprivileged_port_start)" -gt 80 ]');

const cases: Case[] = [
  {
    what: "a configuration file that doesn't exist",
    args: ["-c", "$FOLDER/none.toml"],
    code: 2,
    says: ["error: $FOLDER/none.toml does not exist", "twixt init $FOLDER/none.toml"],
  },
  {
    what: "a configuration file that is a folder",
    args: ["from-file", "$FOLDER"],
    code: 2,
    says: ["error: $FOLDER is a directory", "name the file inside it"],
  },
  {
    what: "a configuration file that can't be read",
    text: good,
    wrap: `chmod 0 ${file}; ${unprivileged}`,
    code: 2,
    says: [`error: ${file} can't be read: permission denied`, "let the user of this process read"],
    ignore: !canLosePrivileges,
  },
  {
    what: "a configuration file that isn't text",
    args: ["-c", "/bin/sh"],
    code: 2,
    says: ["error: /bin/sh is not UTF-8 text", "save it as UTF-8"],
  },
  {
    what: "bad TOML",
    text: "[servers.web\nbind = 1\n",
    code: 2,
    says: [`error: ${file}:1:`],
  },
  {
    what: "bad JSON",
    text: '{"servers": {"web": {"bind": "127.0.0.1:0",}}}',
    args: ["-c", file, "-f", "json"],
    code: 2,
    says: [`error: ${file}:1:`],
  },
  {
    what: "an unknown key",
    text: good.replace("bind =", "max_conections = 5\nbind ="),
    code: 2,
    says: [`error: ${file}:3: servers.web.max_conections: `, 'did you mean "max_connections"?'],
  },
  {
    what: "a bad duration",
    text: good.replace("bind =", 'client_idle_timeout = "10 minutes"\nbind ='),
    code: 2,
    says: [
      `error: ${file}:3: servers.web.client_idle_timeout: "10 minutes" is not a duration`,
      'write a number and a unit, for example "10s"',
    ],
  },
  {
    what: "a value of the wrong type",
    text: good.replace("bind =", 'max_connections = "many"\nbind ='),
    code: 2,
    says: [`error: ${file}:3: servers.web.max_connections: "many"`],
  },
  {
    what: "an unknown kind",
    text: good.replace('"static"', '"statik"'),
    code: 2,
    says: [`error: ${file}:5: servers.web.discovery.kind: "statik"`, 'did you mean "static"?'],
  },
  {
    what: "a server without backends or pool",
    text: '[servers.web]\nbind = "127.0.0.1:0"\n',
    code: 2,
    says: [
      `error: ${file}:1: servers.web: has no backends`,
      "add [servers.web.discovery], or pool",
    ],
  },
  {
    what: "a port that somebody has",
    text: good.replace(":0", ":$TAKEN"),
    code: 1,
    says: [
      `error: server "web" can't listen on 127.0.0.1:$TAKEN: address in use`,
      "see who has it: ss -ltnp 'sport = :$TAKEN'",
    ],
  },
  {
    what: "an address of another host",
    text: good.replace("127.0.0.1:0", "192.0.2.1:3000"),
    code: 1,
    says: [
      `error: server "web" can't listen on 192.0.2.1:3000: not an address of this host`,
      "ip -brief address",
    ],
  },
  {
    what: "a low port without the permission for it",
    text: good.replace(":0", ":80"),
    wrap: unprivileged,
    code: 1,
    says: [
      `error: server "web" can't listen on 127.0.0.1:80: permission denied`,
      "sysctl net.ipv4.ip_unprivileged_port_start=0",
      "setcap cap_net_bind_service=+ep",
    ],
    ignore: !canLosePrivileges || !lowPortsReserved,
  },
  {
    what: "an API port that somebody has",
    text: `[api]\nenabled = true\nbind = "127.0.0.1:$TAKEN"\n${good}`,
    code: 1,
    says: ["error: ", "127.0.0.1:$TAKEN", "address in use", "ss -ltnp"],
  },
  {
    what: "a log file in a folder that doesn't exist",
    text: `[logging]\noutput = "$FOLDER/none/twixt.log"\n${good}`,
    code: 1,
    says: ["error: log file $FOLDER/none/twixt.log can't be opened", "choose a path"],
  },
  {
    what: "a pid file in a folder that doesn't exist",
    text: good,
    args: ["-c", file, "-p", "$FOLDER/none/pid"],
    code: 1,
    says: ["error: pid file $FOLDER/none/pid can't be written", "choose a path"],
  },
  {
    what: "an included file that doesn't exist",
    text: `include = ["more.toml"]\n${good}`,
    code: 2,
    says: [
      `error: ${file}:1: include.0: "more.toml" can't be included: there is no such file`,
      "it was looked for as $FOLDER/more.toml",
    ],
  },
  {
    what: "a variable that isn't set where there must be a value",
    text: good.replace("127.0.0.1:0", "${NOBODY_SETS_THIS}"),
    args: ["-e", "-c", file],
    code: 2,
    says: [
      `warning: ${file}:3: the variable "NOBODY_SETS_THIS" is not set`,
      `error: ${file}:3: servers.web.bind: is empty`,
    ],
  },
  {
    what: "standard input that it shall watch",
    args: ["from-file", "-", "--watch"],
    code: 2,
    says: ["error: standard input can't be watched", "name a file, or leave out --watch"],
  },
  {
    what: "a URL that is none",
    args: ["from-url", "twixt.toml"],
    code: 2,
    says: ['error: "twixt.toml" is not a URL of http or https', "write it whole"],
  },
  {
    what: "a bad interval",
    args: ["from-url", "http://127.0.0.1/", "--interval", "often"],
    code: 2,
    says: ['error: --interval "often" is not a duration', '"30s"'],
  },
  {
    what: "Consul's address without a port",
    args: ["from-consul", "consul.internal"],
    code: 2,
    says: ['error: Consul: "consul.internal" has no port', "127.0.0.1:8500"],
  },
  {
    what: "a fallback file in a folder that doesn't exist",
    args: ["from-url", "http://127.0.0.1/", "--fallback", "$FOLDER/none/last"],
    code: 1,
    says: ["error: fallback file $FOLDER/none/last can't be written", "choose a path"],
  },
  {
    what: "an authority that is none",
    args: ["from-url", "https://127.0.0.1/", "--ca", "/dev/null"],
    code: 2,
    says: ["error: /dev/null"],
  },
  {
    what: "arguments, and the variable GOBETWEEN as well",
    args: ["check", file],
    wrap: "GOBETWEEN='[]' {}",
    code: 2,
    says: ["error: there are arguments, and the variable GOBETWEEN is set, too", "unset GOBETWEEN"],
  },
  {
    what: "an unknown command",
    args: ["balance"],
    code: 2,
    says: ["error: ", "balance", "--help"],
  },
  {
    what: "an unknown option",
    args: ["--port", "3000"],
    code: 2,
    says: ["error: unknown option '--port'", "--help"],
  },
  {
    what: "twixt proxy without a port",
    args: ["proxy", "3000", "127.0.0.1:1"],
    code: 2,
    says: ["error: ", '"3000"', ":3000"],
  },
];

for (const { what, text, args = ["-c", file], wrap, code, says, ignore } of cases) {
  const name = `twixt exits ${code} and says what to do when it meets ${what}`;
  Deno.test(name, { ignore: ignore ?? false, timeout: 30_000 }, async () => {
    const folder = await Deno.makeTempDir();
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const filled = (text: string) =>
      text.replaceAll("$FOLDER", folder).replaceAll("$TAKEN", String(taken.addr.port));
    try {
      if (text !== undefined) await Deno.writeTextFile(filled(file), filled(text));
      const options = wrap === undefined ? {} : { wrap: filled(wrap) };
      const { code: ended, out, err } = await runTwixt(args.map(filled), options);
      for (const part of says) {
        assert(err.includes(filled(part)), `${filled(part)}\nis not in\n${err}`);
      }
      assert.equal(ended, code);
      assert.equal(out, "");
      assert.doesNotMatch(err, /^\s+at |TypeError|Uncaught|defect of twixt/m);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
