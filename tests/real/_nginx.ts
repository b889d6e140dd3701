import { Daemon, unprivileged } from "./_daemon.ts";

/** Starts an nginx whose `server` blocks hold these directives; the last of them listens on `ready`. */
export async function startServers(
  stack: AsyncDisposableStack,
  path: string,
  servers: readonly string[],
  ready: number,
): Promise<void> {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  await Deno.writeTextFile(
    `${path}/nginx.conf`,
    `
    daemon off;
    worker_processes 1;
    pid ${path}/nginx.pid;
    events { worker_connections 4096; }
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${path}/${name};`).join("\n")}
      ${servers.map((server) => `server { ${server} }`).join("\n")}
    }`,
  );
  const argv = ["nginx", "-p", path, "-c", `${path}/nginx.conf`, "-e", "stderr"] as const;
  stack.use(await Daemon.start(unprivileged(argv), ready));
}
