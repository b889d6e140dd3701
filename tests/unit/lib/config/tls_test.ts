import assert from "node:assert/strict";
import { loadConfig } from "../../../../lib/config/load.ts";
import { ConfigError, printProblem } from "../../../../lib/errors.ts";
import { kinds } from "../../../support/kinds.ts";

const PAIR = 'cert_path = "c.pem"\nkey_path = "k.pem"';

/** A server with this section, and what is said about it. */
function load(tls: string | undefined, more = 'protocol = "tls"') {
  const section = tls === undefined ? "" : `[servers.a.tls]\n${tls}\n`;
  const text = `[servers.a]\nbind = ":1"\n${more}\n` +
    `discovery = { kind = "static", static_list = ["b:1"] }\n${section}`;
  try {
    const { config, warnings } = loadConfig(text, { file: "x", format: "toml", kinds });
    return {
      tls: config.servers.get("a")!.tls,
      shown: config.document.servers["a"]!,
      said: warnings.map(printProblem),
    };
  } catch (error) {
    assert(error instanceof ConfigError);
    return { said: error.problems.map(printProblem) };
  }
}

const MAIN = { certPath: "c.pem", keyPath: "k.pem", at: "servers.a.tls" };

Deno.test("[servers.NAME.tls] has defaults, whichever protocol stands above it", () => {
  for (const protocol of ['protocol = "tls"', 'protocol = "tcp"', ""]) {
    const { tls, said } = load(PAIR, protocol);
    assert.deepEqual(tls, {
      certificates: [MAIN],
      alpn: [],
      handshakeMs: 5_000,
      maxUnfinished: 512,
      guard: "auto",
    });
    assert.deepEqual(said, []);
  }
  assert.equal(load(undefined, "").tls, undefined);
});

Deno.test("[servers.NAME.tls] takes further certificates, or nothing but a list", () => {
  const other = { certPath: "d.pem", keyPath: "l.pem" };
  const list = 'certificates = [{ cert_path = "d.pem", key_path = "l.pem" }]';
  const at = "servers.a.tls.certificates.0";
  assert.deepEqual(load(`${PAIR}\n${list}`).tls?.certificates, [MAIN, { ...other, at }]);
  assert.deepEqual(load(list).tls?.certificates, [{ ...other, at }]);
  const more =
    'alpn = ["h2", "http/1.1"]\nhandshake_timeout = "1s"\nmax_unfinished = 7\nguard = "never"';
  assert.deepEqual(load(`${PAIR}\n${more}`).tls, {
    ...{ certificates: [MAIN], alpn: ["h2", "http/1.1"], handshakeMs: 1_000, maxUnfinished: 7 },
    guard: "never",
  });
});

Deno.test("[servers.NAME.tls] asks clients for certificates, and holds TLS to 1.3", () => {
  const { tls, said } = load(
    `${PAIR}\nclient_auth = "require"\nclient_ca_path = "ca.pem"\nclient_allow = ["CN=a", "DNS:*.b"]\n` +
      'min_version = "tls1.3"',
  );
  assert.deepEqual(said, []);
  assert.equal(tls?.minVersion, "TLSv1.3");
  assert.deepEqual(tls?.clients, {
    ...{ required: true, caPath: "ca.pem", at: "servers.a.tls.client_ca_path" },
    allow: ["CN=a", "DNS:*.b"],
  });
  const optional = load(`${PAIR}\nclient_auth = "optional"\nclient_ca_path = "ca.pem"`).tls;
  assert.deepEqual([optional?.clients?.required, optional?.clients?.allow], [false, []]);
});

Deno.test("[servers.NAME.tls] takes certificates by ACME beside others", () => {
  const load = (tls: string) => {
    const text = `[acme]\ncache_dir = "/x/"\n[servers.a]\nbind = ":1"\nprotocol = "tls"\n` +
      `discovery = { kind = "static", static_list = ["b:1"] }\n[servers.a.tls]\n${tls}\n`;
    return loadConfig(text, { file: "x", format: "toml", kinds });
  };
  const { config } = load(`${PAIR}\nacme_hosts = ["A.test.", "b.test"]`);
  const folder = config.acme!.folder;
  assert.match(folder, /^\/x\/twixt-acme\/acme-v02\.api\.letsencrypt\.org-[0-9a-f]{8}$/);
  const path = (host: string) => `${folder}/${host}.pem`;
  const issued = ["a.test", "b.test"].map((acmeHost, i) => ({
    ...{ certPath: path(acmeHost), keyPath: path(acmeHost), acmeHost },
    at: `servers.a.tls.acme_hosts.${i}`,
  }));
  assert.deepEqual(config.servers.get("a")!.tls?.certificates, [MAIN, ...issued]);
  assert.deepEqual(config.acme, {
    directory: "https://acme-v02.api.letsencrypt.org/directory",
    bind: { hostname: "0.0.0.0", port: 80, text: "0.0.0.0:80" },
    folder,
  });
  assert.equal(
    load('acme_hosts = ["b.test"]').config.servers.get("a")!.tls?.certificates.length,
    1,
  );
  assert.throws(
    () => load('acme_hosts = ["*.b.test"]'),
    /acme_hosts\.0: "\*\.b\.test" is a wildcard/,
  );
});

Deno.test.each(
  [
    ['challenge = "dns"', /acme\.challenge: "dns" is not possible here/],
    ['http_bind = "x"', /acme\.http_bind: /],
    ['directory = "http://a.test/"', /acme\.directory: must be a URL of https/],
    ['directory = "a.test"', /acme\.directory: "a\.test" is not a URL/],
    ['http_bind = "127.0.0.1:1"', /servers\.a\.bind: .* is already taken by acme\.http_bind/],
  ] as const,
)("[acme] with %s is refused by name", (acme, wanted) => {
  const text = `[acme]\n${acme}\n[servers.a]\nbind = "127.0.0.1:1"\n` +
    'discovery = { kind = "static", static_list = ["b:1"] }\n';
  assert.throws(() => loadConfig(text, { file: "x", format: "toml", kinds }), wanted);
});

Deno.test("gobetween's documented example of tls loads, with warnings", () => {
  const { tls, said, shown } = load(
    `${PAIR}\nmin_version = "tls1"\nmax_version = "tls1.2"\nciphers = []\n` +
      "prefer_server_ciphers = false\nsession_tickets = true",
  );
  assert.deepEqual(tls?.certificates, [MAIN]);
  assert.deepEqual(
    said,
    [
      'x:8: servers.a.tls.min_version: "tls1" is raised to "tls1.2"\n       TLS 1.2 and 1.3 are both spoken, always',
      'x:9: servers.a.tls.max_version: "tls1.2" is raised to "tls1.3"\n       TLS 1.2 and 1.3 are both spoken, always',
      "x:11: servers.a.tls.prefer_server_ciphers: has no effect\n       remove it",
    ],
  );
  assert.deepEqual(shown?.["tls"], {
    ...{ acme_hosts: null, cert_path: "c.pem", key_path: "k.pem", ciphers: [] },
    ...{ min_version: "tls1", max_version: "tls1.2", session_tickets: true },
  });
});

Deno.test("a section as gobetween's API shows it loads", () => {
  const text = JSON.stringify({
    servers: {
      a: {
        bind: ":1",
        discovery: { kind: "static", static_list: ["b:1"] },
        tls: {
          ...{ acme_hosts: null, cert_path: "c.pem", key_path: "k.pem", ciphers: null },
          ...{ min_version: "", max_version: "", session_tickets: false },
        },
      },
    },
  });
  const { warnings } = loadConfig(text, { file: "x", format: "json", kinds });
  assert.deepEqual(warnings.map(({ path }) => path.join(".")), ["servers.a.tls.session_tickets"]);
});

const SUITES = ["ECDSA", "RSA"].flatMap((key) =>
  ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"]
    .map((cipher) => `TLS_ECDHE_${key}_WITH_${cipher}`)
);
const ciphers = (list: readonly string[]) => `${PAIR}\nciphers = ${JSON.stringify(list)}`;

Deno.test.each(
  [
    [
      "no section",
      undefined,
      /servers\.a\.protocol: "tls" needs a certificate\n.*\[servers\.a\.tls\]/,
    ],
    ["nothing", "", /servers\.a\.tls: has no certificate\n.*give cert_path and key_path/],
    ["empty paths", 'cert_path = ""\nkey_path = ""', /servers\.a\.tls: has no certificate/],
    ["no key", 'cert_path = "c.pem"', /cert_path: is given without key_path\n.*give both/],
    ["no certificate", 'key_path = "c.pem"', /key_path: is given without cert_path\n.*give both/],
    [
      "half a pair",
      'certificates = [{ cert_path = "c" }]',
      /certificates\.0\.key_path: is missing/,
    ],
    ["old TLS", `${PAIR}\nmax_version = "tls1.1"`, /max_version: "tls1.1" can't be spoken/],
    [
      "a version that isn't",
      `${PAIR}\nmin_version = "ssl3"`,
      /min_version: "ssl3" is not possible/,
    ],
    [
      "fewer suites",
      ciphers(SUITES.slice(1)),
      /ciphers: can't be enforced: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 would still be offered/,
    ],
    [
      "a misspelt suite",
      ciphers([...SUITES, "TLS_RSA_WITH_RC4_128_SHAX"]),
      /ciphers\.6: "TLS_RSA_WITH_RC4_128_SHAX" is not a cipher suite\n.*TLS_RSA_WITH_RC4_128_SHA"\?/,
    ],
    ["an empty protocol", `${PAIR}\nalpn = [""]`, /alpn\.0: is no protocol\n.*from 1 to 255 bytes/],
    ["no time", `${PAIR}\nhandshake_timeout = "0"`, /handshake_timeout: "0" is too short/],
    ["an unknown guard", `${PAIR}\nguard = "on"`, /tls\.guard: "on" is not possible here/],
    [
      "ACME without an authority",
      'acme_hosts = ["a.test"]',
      /^x:6: servers\.a\.tls\.acme_hosts: needs the section \[acme\]\n.*cert_path/,
    ],
    [
      "client certificates of nobody",
      `${PAIR}\nclient_auth = "require"`,
      /client_auth: needs client_ca_path/,
    ],
    [
      "an authority for nothing",
      `${PAIR}\nclient_ca_path = "x"`,
      /client_ca_path: says nothing without client_auth/,
    ],
    ["rules for nothing", `${PAIR}\nclient_allow = ["CN=a"]`, /client_allow: says nothing/],
    [
      "a rule that is none",
      `${PAIR}\nclient_auth = "optional"\nclient_ca_path = "x"\nclient_allow = ["alice"]`,
      /client_allow\.0: "alice" begins with none of CN= .*\n.*"CN=alice"/,
    ],
    ["an unknown client_auth", `${PAIR}\nclient_auth = "on"`, /client_auth: "on" is not possible/],
  ] as const,
)("[servers.NAME.tls] with %s is refused by name", (_what, tls, wanted) => {
  const { said, tls: spec } = load(tls);
  assert.equal(spec, undefined);
  assert.equal(said.length, 1, said.join("\n"));
  assert.match(said[0]!, wanted);
});

Deno.test("ciphers that hold all that are offered are taken, and what nobody can use is warned of", () => {
  assert.deepEqual(load(ciphers(SUITES)).said, []);
  assert.deepEqual(load(ciphers([...SUITES, "TLS_AES_128_GCM_SHA256"])).said, []);
  const { said: [warning] } = load(ciphers([...SUITES, "TLS_RSA_WITH_RC4_128_SHA"]));
  assert.match(warning!, /ciphers: TLS_RSA_WITH_RC4_128_SHA: not offered/);
});

Deno.test("PROXY headers stand in front of TLS and towards backends", () => {
  const from = 'proxy_protocol = { accept_from = ["10.0.0.0/8"], version = "2" }';
  assert.deepEqual(load(PAIR, from).said, []);
});

Deno.test("[servers.NAME.proxy_protocol] that says neither version nor accept_from is refused", () => {
  for (const said of ["", "accept_from = []", 'read_timeout = "1s"']) {
    const [problem] = load(PAIR, `proxy_protocol = { ${said} }`).said;
    assert.match(problem!, /proxy_protocol: says nothing\n/);
  }
});

/** A server whose backends speak TLS by this section, and what is said about it. */
function loadBackends(section: string) {
  const text =
    '[servers.a]\nbind = ":1"\ndiscovery = { kind = "static", static_list = ["b:1"] }\n' +
    `[servers.a.backends_tls]\n${section}\n`;
  try {
    const { config, warnings } = loadConfig(text, { file: "x", format: "toml", kinds });
    return { spec: config.servers.get("a")!.backendsTls, said: warnings.map(printProblem) };
  } catch (error) {
    assert(error instanceof ConfigError);
    return { said: error.problems.map(printProblem) };
  }
}

const TOWARDS = "servers.a.backends_tls";

Deno.test("[servers.NAME.backends_tls] verifies unless it is told not to, which is warned of", () => {
  assert.deepEqual(loadBackends(""), { spec: { at: TOWARDS, insecure: false }, said: [] });
  const { spec, said } = loadBackends("ignore_verify = true");
  assert.deepEqual(spec, { at: TOWARDS, insecure: true });
  assert.match(said.join(), /ignore_verify: anybody can pose as a backend\n.*root_ca_cert_path/);
});

Deno.test("[servers.NAME.backends_tls] takes authorities, a certificate, a name and versions", () => {
  const { spec, said } = loadBackends(
    'root_ca_cert_path = "ca.pem"\ncert_path = "c.pem"\nkey_path = "k.pem"\n' +
      'server_name = "b.test"\nmin_version = "tls1.3"\nmax_version = "tls1.3"',
  );
  assert.deepEqual(said, []);
  assert.deepEqual(spec, {
    ...{ at: TOWARDS, insecure: false, caPath: "ca.pem", serverName: "b.test" },
    ...{ pair: { certPath: "c.pem", keyPath: "k.pem", at: TOWARDS }, minVersion: "TLSv1.3" },
  });
  assert.equal(loadBackends('max_version = "tls1.2"').spec?.maxVersion, "TLSv1.2");
  assert.match(loadBackends('min_version = "tls1"').said.join(), /"tls1" is raised to "tls1.2"/);
});

Deno.test.each(
  [
    ["no key", 'cert_path = "c.pem"', /cert_path: is given without key_path\n.*both or none/],
    ["no certificate", 'key_path = "c.pem"', /key_path: is given without cert_path/],
    ["an old version", 'max_version = "tls1.1"', /max_version: "tls1.1" can't be spoken/],
    [
      "no version at all",
      'min_version = "tls1.3"\nmax_version = "tls1.2"',
      /max_version: "tls1.2" is less than min_version/,
    ],
    ["fewer suites", `ciphers = ["${SUITES[0]}"]`, /ciphers: can't be enforced/],
    ["a misspelt key", 'server_nme = "x"', /server_nme: is not a key/],
    ["no name", 'server_name = "foo bar"', /server_name: "foo bar" is no host name/],
  ] as const,
)("[servers.NAME.backends_tls] with %s is refused by name", (_what, section, wanted) => {
  const { said, spec } = loadBackends(section);
  assert.equal(spec, undefined);
  assert.equal(said.length, 1, said.join("\n"));
  assert.match(said[0]!, wanted);
});
