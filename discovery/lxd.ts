import { z } from "zod";
import { flag, text, whole } from "../lib/config/values.ts";
import { DiscoveryError } from "../lib/errors.ts";
import type { DiscoveryKind } from "../lib/kinds.ts";
import { ask, failure, parseAddress, type Server } from "./_lxd_api.ts";
import { backendsOf, type Wanted } from "./_lxd_containers.ts";
import { introduce, secured, type Trust } from "./_lxd_trust.ts";

/** The keys of `lxd`. Empty strings are as good as none. */
export type LxdOptions = {
  readonly lxd_server_address: string;
  readonly lxd_server_remote_name: string;
  readonly lxd_server_remote_password: string;
  readonly lxd_config_directory: string;
  readonly lxd_generate_client_certs: boolean;
  readonly lxd_accept_server_cert: boolean;
  readonly lxd_container_label_key: string;
  readonly lxd_container_label_value: string;
  readonly lxd_container_port: number;
  readonly lxd_container_port_key: string;
  readonly lxd_container_interface: string;
  readonly lxd_container_interface_key: string;
  readonly lxd_container_sni_key: string;
  readonly lxd_container_address_type: "IPv4" | "IPv6";
};

/**
 * Running containers of an LXD server. It is polled: an address that a container gets after its start is no event of
 * LXD's.
 */
export const lxd: DiscoveryKind<LxdOptions> = {
  name: "lxd",
  summary: "Running containers of an LXD server.",
  example: `lxd_server_address = "unix:///var/lib/lxd/unix.socket"
lxd_container_port = 80`,
  shape: {
    lxd_server_address: z.string().superRefine((written, context) => {
      const parsed = parseAddress(written);
      if (typeof parsed === "string") context.addIssue({ code: "custom", message: parsed });
    }).describe("The server: https://host:port or unix:///path of its socket."),
    lxd_server_remote_name: z.string().superRefine((written, context) => {
      if (/^(?!\.{0,2}$)[^/\0]{1,200}$/.test(written)) return;
      const message = `${JSON.stringify(written)} is no name of a file\nfor example "local"`;
      context.addIssue({ code: "custom", message });
    }).describe("What the server's certificate is filed under, in servercerts/.").default("local"),
    lxd_server_remote_password: text(
      "Its trust password, or a token of lxc config trust add, which makes our certificate known.",
    ).default(""),
    lxd_config_directory: text(
      "Folder of client.crt, client.key and servercerts/; ~/.config/lxc if empty.",
    ).default(""),
    lxd_generate_client_certs: flag("Makes client.crt and client.key where there are none.")
      .default(false),
    lxd_accept_server_cert: flag(
      "Files the certificate that the server shows first, unless it is verified otherwise; from then on that one is wanted.",
    ).default(false),
    lxd_container_label_key: text("Only containers with this key in their configuration.")
      .default(""),
    lxd_container_label_value: text("Only those where it has this value; any if empty.")
      .default(""),
    lxd_container_port: whole("Their port; 0 for none but lxd_container_port_key.", 0, 65535)
      .default(0),
    lxd_container_port_key: text("Key of a container's configuration with its port, if it has it.")
      .default(""),
    lxd_container_interface: text("The interface whose address is dialled.").default("eth0"),
    lxd_container_interface_key: text("Key with the container's interface, if it has it.")
      .default(""),
    lxd_container_sni_key: text("Key with the container's server name, if it has it.").default(""),
    lxd_container_address_type: z.enum(["IPv4", "IPv6"]).describe("Family of the address.")
      .default("IPv4"),
  },
  problems: ({ lxd_container_port: port, lxd_container_port_key: key }) =>
    port === 0 && key === ""
      ? [{ key: "lxd_container_port", message: "is missing\ngive it, or lxd_container_port_key" }]
      : [],
  guarded: ({ lxd_server_address: address, lxd_config_directory: path }) => [
    ...path === "" ? [] : [path],
    ...address.startsWith("unix:") ? [address] : [],
  ],
  async find(options, { signal, skip }) {
    const wanted = wantedBy(options);
    const place = parseAddress(options.lxd_server_address);
    if (typeof place === "string") throw new DiscoveryError(place.replace("\n", "; "));
    if (place.socketPath !== undefined) {
      return backendsOf(await containers({ place }, signal), wanted, skip);
    }
    const trust = trustOf(options);
    const server = await secured(place, trust, signal);
    return backendsOf(await containers(server, signal, trust), wanted, skip);
  },
};

function wantedBy(options: LxdOptions): Wanted {
  const { lxd_container_port: port, lxd_container_port_key: portKey } = options;
  return {
    ...{ port, portKey },
    labelKey: options.lxd_container_label_key,
    labelValue: options.lxd_container_label_value,
    interface: options.lxd_container_interface || "eth0",
    interfaceKey: options.lxd_container_interface_key,
    sniKey: options.lxd_container_sni_key,
    family: options.lxd_container_address_type,
  };
}

function trustOf(options: LxdOptions): Trust {
  return {
    directory: directoryOf(options.lxd_config_directory, Deno.env.get("HOME")),
    remote: options.lxd_server_remote_name,
    password: options.lxd_server_remote_password,
    generate: options.lxd_generate_client_certs,
    accept: options.lxd_accept_server_cert,
  };
}

/** The folder that is meant: `~` is the home folder, and nothing its `.config/lxc`. @throws DiscoveryError without a home. */
export function directoryOf(written: string, home: string | undefined): string {
  const path = written || "~/.config/lxc";
  if (!/^~(\/|$)/.test(path)) return path.replace(/(?<=.)\/+$/, "");
  if (home) return (home + path.slice(1)).replace(/(?<=.)\/+$/, "");
  throw new DiscoveryError("HOME isn't set; write lxd_config_directory as an absolute path");
}

const CONTAINERS = { path: "/1.0/instances?recursion=2&instance-type=container" };

/** The containers with their states; over HTTPS it makes us known where we aren't. @throws DiscoveryError */
async function containers(
  server: Server,
  signal: AbortSignal,
  trust?: Trust,
): Promise<readonly unknown[]> {
  const { place } = server;
  let said = await ask(server, CONTAINERS, signal);
  if (said.status === 403 && trust !== undefined) {
    await introduce(server, trust, signal);
    said = await ask(server, CONTAINERS, signal);
  }
  const { status, metadata, error } = said;
  if (status === 404) throw failure(place, "it has no instances; LXD 4.0 or later is needed");
  if (status !== 200) throw failure(place, `status ${status}${error && `: ${error}`}`);
  if (!Array.isArray(metadata)) throw failure(place, "its answer is no list of containers");
  return metadata;
}
