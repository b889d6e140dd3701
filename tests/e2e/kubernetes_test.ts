/** Backends from an API server of Kubernetes that comes, goes and tells of changes. */
import assert from "node:assert/strict";
import { byDenoRun } from "../support/host.ts";
import { ask, greeter, type TcpBackend, until } from "../support/backends.ts";
import { certificate } from "../support/certificates.ts";
import { Load } from "../support/clients.ts";
import { KubernetesServer } from "../support/kubernetes_api.ts";
import { needs } from "../support/real.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";

const options = { ...needs(["openssl"]), timeout: 60_000 };
const PATH = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";

/** A slice with one endpoint. */
function slice(name: string, { port }: TcpBackend, version: string, ready = true) {
  return {
    metadata: { name, resourceVersion: version },
    addressType: "IPv4",
    ports: [{ name: "http", port }],
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready } }],
  };
}

if (byDenoRun) {
  Deno.test(
    "kubernetes: pods that come and go are served at once, and go on without the API",
    options,
    async () => {
      await using stack = new AsyncDisposableStack();
      const { path } = stack.use(new TemporaryFolder());
      const [one, two] = [stack.use(greeter("one")), stack.use(greeter("two"))];
      const tls = await certificate(path);
      await Deno.writeTextFile(`${path}/token`, "secret-token\n");
      const api = stack.use(await KubernetesServer.start(tls));
      api.token = "secret-token";
      const list = (...items: unknown[]) => ({ metadata: { resourceVersion: "10" }, items });
      api.objects.set(PATH, list(slice("a", one, "9")));
      const twixt = stack.use(
        await Twixt.start({
          config: {
            workers: 1,
            servers: {
              web: {
                bind: "127.0.0.1:0",
                balance: "roundrobin",
                discovery: {
                  kind: "kubernetes",
                  interval: "1h",
                  kubernetes_api: api.url,
                  kubernetes_namespace: "shop",
                  kubernetes_service: "web",
                  kubernetes_port: "http",
                  kubernetes_token_path: `${path}/token`,
                  kubernetes_ca_path: tls.ca,
                },
              },
            },
          },
        }),
      );
      const port = twixt.port("web");
      /** Resolves when clients get these names and no others. */
      const serves = (...names: string[]) =>
        until(
          async () => {
            const said = new Set<string>();
            for (let i = 0; i < 6; i++) said.add(await ask(port));
            return [...said].sort().join() === names.join();
          },
          5_000,
          `service by ${names}`,
        );
      await serves("one");
      await using load = new Load(4, async () => assert.match(await ask(port), /^(one|two)$/), 5);
      await until(() => api.watches === 1);
      api.say({ type: "ADDED", object: slice("b", two, "11") });
      await serves("one", "two");
      api.say({ type: "MODIFIED", object: slice("a", one, "12", false) });
      await serves("two");

      api.token = "another";
      api.end("break");
      const { why } = await twixt.logged(({ msg }) => msg === "discovery failed");
      assert.match(String(why), /it doesn't take the token in \S+; it has expired/);
      await serves("two");
      api.objects.set(PATH, list(slice("a", one, "13"), slice("b", two, "11")));
      await Deno.writeTextFile(`${path}/token`, "another\n");
      await until(
        () => ask(port).then((name) => name === "one"),
        20_000,
        "the list after the failure",
      );
      await until(() => api.watches === 1, 15_000, "the next watch");
      api.say({ type: "DELETED", object: slice("b", two, "14") });
      await serves("one");
      await load.stop();
      assert.deepEqual(load.failures, []);
      assert.doesNotMatch(twixt.text() + twixt.err.join(), /secret-token/);
    },
  );
}
