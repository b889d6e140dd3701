/** Every kind that speaks TLS has the same keys for it, and its pair of files is judged with the configuration. */
import assert from "node:assert/strict";
import { discoveries } from "../../../../discovery/registry.ts";
import { checks } from "../../../../health/registry.ts";
import { tlsFiles, tlsShape } from "../../../../lib/net/tls_keys.ts";

const KINDS = [...discoveries.all(), ...checks.all()].flatMap((kind) => {
  const [, prefix] = /^(.*)_tls_cert_path$/m.exec(Object.keys(kind.shape).join("\n")) ?? [];
  return prefix === undefined ? [] : [{ kind, name: kind.name, prefix }];
});

Deno.test("five kinds and more speak TLS", () => {
  const names = KINDS.map(({ name }) => name);
  for (const name of ["docker", "consul", "json", "plaintext", "https", "probe"]) {
    assert(names.includes(name), name);
  }
});

Deno.test.each(KINDS)("$name has all keys of TLS, and wants certificate and key together", ({
  kind,
  prefix,
}) => {
  for (const key of Object.keys(tlsShape(prefix))) assert(key in kind.shape, key);
  const options = { probe_protocol: "tls", probe_send: "", probe_recv: "a", probe_recv_len: 0 };
  const problems = (more: object) =>
    kind.problems!({ ...options, ...more }).filter(({ key }) => key.includes("_tls_"));
  const [cert, key] = [`${prefix}_tls_cert_path`, `${prefix}_tls_key_path`];
  const hint = "give both or none";
  assert.deepEqual(problems({ [cert]: "a" }), [
    { key: cert, message: `is given without ${key}\n${hint}` },
  ]);
  assert.deepEqual(problems({ [key]: "a" }), [
    { key, message: `is given without ${cert}\n${hint}` },
  ]);
  for (const more of [{}, { [cert]: "", [key]: "" }, { [cert]: "a", [key]: "b" }]) {
    assert.deepEqual(problems(more), []);
  }
});

Deno.test("tlsFiles() reads the keys of its prefix", () => {
  const keys = {
    x_tls_insecure: true,
    x_tls_key_path: "",
    x_tls_cacert_path: "ca",
    x_tls_server_name: "n",
    y: 1,
  };
  assert.deepEqual(tlsFiles("x", keys), {
    insecure: true,
    caPath: "ca",
    serverName: "n",
    certPath: undefined,
    keyPath: undefined,
  });
});
