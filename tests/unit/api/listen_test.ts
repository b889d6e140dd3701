import assert from "node:assert/strict";
import type { ServeHooks } from "../../../api/serve.ts";
import { StartError } from "../../../lib/errors.ts";
import type { ApiSpec } from "../../../lib/model.ts";
import { HELLO, pem, serve, specOf } from "../../support/api.ts";

/** What the start fails with. */
async function startError(spec: ApiSpec, hooks: Partial<ServeHooks> = {}): Promise<StartError> {
  const error = await serve(HELLO, hooks, spec).then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof StartError, String(error));
  return error;
}

Deno.test("serveApi() names the bind and who has it when it is taken", async () => {
  const api = await serve(HELLO);
  const error = await startError(specOf("127.0.0.1", api.port));
  assert.equal(error.message, `the API can't listen on 127.0.0.1:${api.port}: address in use`);
  assert.equal(error.hint, `see who has it: ss -ltnp 'sport = :${api.port}'`);
  await api.close();
});

Deno.test("serveApi() names the remedies for a low port", async () => {
  const listen = () => {
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  };
  const error = await startError(specOf("127.0.0.1", 80), { listen });
  assert.equal(error.message, "the API can't listen on 127.0.0.1:80: permission denied");
  assert.match(error.hint, /sysctl net\.ipv4\.ip_unprivileged_port_start=0.*setcap /);
});

Deno.test("serveApi() refuses an address of another host", async () => {
  const error = await startError(specOf("192.0.2.1"));
  assert.equal(error.message, "the API can't listen on 192.0.2.1:0: not an address of this host");
});

Deno.test("serveApi() refuses a certificate that is none, and a key of another", async () => {
  const cert = await pem("cert");
  const key = await pem("key");
  for (
    const tls of [{ cert: "none", key }, { cert, key: "none" }, { cert: await pem("ca"), key }]
  ) {
    const spec = { ...specOf(), tls: { certPath: "cert.pem", keyPath: "key.pem" } };
    const error = await startError(spec, { tls });
    assert.match(error.message, /^the API's certificate or key can't be used: ./);
    assert.equal(
      error.hint,
      "api.tls.cert_path and api.tls.key_path name PEM files: a certificate and its own key",
    );
  }
});
