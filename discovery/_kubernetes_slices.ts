/** EndpointSlices: which pods serve a service, and where. Pure. */
import { backendOf } from "../lib/backend_fields.ts";
import { DiscoveryError, printable } from "../lib/errors.ts";
import { fieldsOf, listOf, textOf } from "../lib/loose.ts";
import type { Backend } from "../lib/model.ts";

/** A port of a slice. Without a number it is any. */
export type SlicePort = { readonly name: string; readonly port: number | undefined };

/** One EndpointSlice, as far as it matters. */
export type Slice = {
  readonly name: string;
  readonly addressType: string;
  readonly ports: readonly SlicePort[];
  /** Those that are ready and not on their way out. */
  readonly ready: readonly Endpoint[];
};

/** `pod` is the id of what is behind the address; empty where the slice doesn't say. */
export type Endpoint = { readonly address: string; readonly pod: string };

/** A slice as the API sends it. What is missing or strange is left out. */
export function readSlice(object: unknown): Slice {
  const { metadata, addressType, ports, endpoints } = fieldsOf(object);
  return {
    name: printable(textOf(fieldsOf(metadata).name)),
    addressType: printable(textOf(addressType)),
    ports: listOf(ports).map((each) => {
      const { name, port } = fieldsOf(each);
      return { name: textOf(name), port: typeof port === "number" ? port : undefined };
    }),
    ready: listOf(endpoints).flatMap((each) => {
      const { conditions, addresses, targetRef } = fieldsOf(each);
      const { ready, terminating } = fieldsOf(conditions);
      const address = textOf(listOf(addresses)[0]); // the others lead to the same pod
      if (ready === false || terminating === true || address === "") return [];
      return [{ address, pod: textOf(fieldsOf(targetRef).uid) }];
    }),
  };
}

/**
 * The backends of a service's slices. A pod that has addresses of both families is one backend, by IPv4.
 * @param port The port's name or number; undefined where the service has only one.
 * @throws DiscoveryError when there are endpoints and none has such a port.
 */
export function sliceBackends(
  slices: Iterable<Slice>,
  port: string | number | undefined,
  skip: (entry: string, why: string) => void,
): Backend[] {
  const filled = [...slices].filter(({ ready }) => ready.length > 0);
  const usable = filled.map((slice) => ({ slice, number: portOf(slice, port) }));
  const offered = new Set(filled.flatMap(({ ports }) => ports.map(printPort)));
  if (filled.length > 0 && usable.every(({ number }) => number === undefined)) {
    throw new DiscoveryError(
      port === undefined
        ? `the service has ports ${[...offered].join(", ")}; name one in kubernetes_port`
        : `the service's endpoints have no port ${port}; they have ${[...offered].join(", ")}`,
    );
  }
  const found = new Map<string, Backend>();
  const pods = new Set<string>();
  for (const family of ["IPv4", "IPv6"]) {
    const own = usable.filter(({ slice }) => slice.addressType === family);
    const before = new Set(pods);
    for (const { slice, number } of own) {
      if (number === undefined) skip(`slice ${slice.name}`, "it has no such port");
      else {
        for (const { address, pod } of slice.ready) {
          if (pod !== "" && before.has(pod)) continue;
          pods.add(pod);
          const backend = backendOf({ host: address, port: number });
          if (typeof backend === "string") skip(`slice ${slice.name}`, backend);
          else found.set(`${address} ${number}`, backend);
        }
      }
    }
  }
  for (const { slice: { addressType, name } } of usable) {
    if (addressType === "IPv4" || addressType === "IPv6") continue;
    skip(`slice ${name}`, `addresses of type "${addressType}" can't be used`);
  }
  return [...found.values()];
}

/** The number of a slice's port; undefined where it has none such, or more than one to choose from. */
function portOf({ ports }: Slice, wanted: string | number | undefined): number | undefined {
  if (wanted === undefined) {
    const numbers = new Set(ports.map(({ port }) => port));
    return numbers.size === 1 ? ports[0]!.port : undefined;
  }
  const number = Number(wanted);
  return ports.find(({ name, port }) => name === String(wanted) && port !== undefined)?.port ??
    (ports.some(({ port }) => port === number || port === undefined)
      ? number || undefined
      : undefined);
}

function printPort({ name, port }: SlicePort): string {
  return name === "" ? String(port ?? "any") : `${printable(name)} (${port ?? "any"})`;
}
