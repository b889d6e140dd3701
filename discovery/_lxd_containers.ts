/** Which backends LXD's containers make. Pure: values in, values out. */
import { backendOf } from "../lib/backend_fields.ts";
import { fieldsOf, listOf, textOf } from "../lib/loose.ts";
import { printable } from "../lib/errors.ts";
import type { Backend } from "../lib/model.ts";
import { labelled } from "./_labels.ts";
import type { Skip } from "./_rows.ts";

/** What is wanted of a container. Keys are those of its configuration; empty for none. */
export type Wanted = {
  readonly labelKey: string;
  /** Any value when empty. */
  readonly labelValue: string;
  /** 0 for none. */
  readonly port: number;
  readonly portKey: string;
  readonly interface: string;
  readonly interfaceKey: string;
  readonly sniKey: string;
  readonly family: "IPv4" | "IPv6";
};

type Fields = ReturnType<typeof fieldsOf>;
type Config = Readonly<Record<string, string>>;

/** The backends of the containers that run and have the label; those that can't be dialled are skipped. */
export function backendsOf(rows: readonly unknown[], wanted: Wanted, skip: Skip): Backend[] {
  return rows.flatMap((row, index) => {
    const fields = fieldsOf(row);
    const name = printable(textOf(fields.name).slice(0, 100)) || `entry ${index + 1}`;
    const backend = containerBackend(fields, wanted);
    if (typeof backend === "string") skip(name, backend);
    return typeof backend === "object" ? [backend] : [];
  });
}

/** Undefined for a container that isn't wanted; a string says why one that is can't be used. */
function containerBackend(container: Fields, wanted: Wanted): Backend | string | undefined {
  if (textOf(container.name) === "") return "it is no container";
  if (container.status !== "Running" || (container.type ?? "container") !== "container") return;
  const config = configOf(container);
  const label = valueOf(config, wanted.labelKey);
  if (wanted.labelKey !== "" && label === undefined) return;
  if (wanted.labelValue !== "" && label !== wanted.labelValue) return;
  const port = portOf(config, wanted);
  if (typeof port === "string") return port;
  const place = placeOf(container, config, wanted);
  if (typeof place === "string") return place;
  const sni = valueOf(config, wanted.sniKey);
  const own = sni === undefined ? config : { ...config, "user.twixt.sni": sni.trim() };
  const more = labelled(own, "user.twixt.");
  return typeof more === "string" ? more : backendOf({ ...place, port, ...more });
}

/** What the container's profiles say, and over that what it says itself. */
function configOf({ config, expanded_config: expanded }: Fields): Config {
  const all = Object.entries({ ...fieldsOf(expanded), ...fieldsOf(config) });
  return Object.fromEntries(all.flatMap(([key, value]) => {
    return typeof value === "string" ? [[key, value]] : [];
  }));
}

function valueOf(config: Config, key: string): string | undefined {
  return key !== "" && Object.hasOwn(config, key) ? config[key] : undefined;
}

function portOf(config: Config, { port, portKey }: Wanted): number | string {
  const own = valueOf(config, portKey);
  if (own !== undefined) {
    const number = /^\d{1,5}$/.test(own.trim()) ? Number(own) : 0;
    return number >= 1 && number <= 65_535
      ? number
      : `its ${portKey} is ${JSON.stringify(own.slice(0, 40))}, no port`;
  }
  return port > 0 ? port : `it has no ${portKey}, and there is no lxd_container_port`;
}

/** Its address on the interface; a string says why there is none. */
function placeOf(
  container: Fields,
  config: Config,
  wanted: Wanted,
): Pick<Backend, "host"> | string {
  const name = valueOf(config, wanted.interfaceKey)?.trim() || wanted.interface;
  const networks = fieldsOf(fieldsOf(container.state).network);
  if (!Object.hasOwn(networks, name)) {
    const has = Object.keys(networks).filter((one) => one !== "lo").slice(0, 10).join(", ");
    return printable(`it has no interface "${name}"; it has ${has || "none that LXD knows of"}`);
  }
  const family = wanted.family === "IPv4" ? "inet" : "inet6";
  const found = listOf(fieldsOf(networks[name]).addresses).map(fieldsOf).find((one) =>
    one.family === family && textOf(one.address) !== "" &&
    // one that holds on its link alone can't be dialled without saying which link that is
    !(family === "inet6" && one.scope === "link")
  );
  return found === undefined
    ? printable(`its interface "${name}" has no ${wanted.family} address`)
    : { host: textOf(found.address) };
}
