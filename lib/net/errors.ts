/**
 * What the runtime throws, as what happened. Codes may be missing (BadResource), numbers (AbortError 20)
 * or strings, so this is the one place that looks at them.
 */

/** What happened to a socket. */
export type Happening =
  /** Nobody listens there. */
  | "refused"
  /** The deadline passed. */
  | "timeout"
  /** The peer reset the connection, or had gone when we wrote. */
  | "reset"
  /** We closed it ourselves. */
  | "closed"
  /** No route, or the network is down. */
  | "unreachable"
  /** This process has no descriptor left: our side's limit, nobody else's fault. */
  | "descriptors"
  /** This host has no local port left towards that address: our side's limit. */
  | "ports"
  /** The address is taken by another listener. */
  | "in_use"
  /** This process may not do that. */
  | "permission"
  /** The address isn't one of this host's. */
  | "not_local"
  | "other";

const BY_CODE: Readonly<Record<string, Happening>> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ENOTCONN: "reset",
  ECONNABORTED: "reset",
  EMFILE: "descriptors",
  ENFILE: "descriptors",
  ENOBUFS: "descriptors",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EHOSTDOWN: "unreachable",
  EACCES: "permission",
  EPERM: "permission",
  EADDRINUSE: "in_use",
};

const BY_NAME: Readonly<Record<string, Happening>> = {
  ConnectionRefused: "refused",
  TimedOut: "timeout",
  TimeoutError: "timeout",
  AbortError: "timeout",
  ConnectionReset: "reset",
  ConnectionAborted: "reset",
  BrokenPipe: "reset",
  NotConnected: "reset",
  UnexpectedEof: "reset",
  BadResource: "closed",
  Interrupted: "closed",
  NetworkUnreachable: "unreachable",
  HostUnreachable: "unreachable",
  NotCapable: "permission",
  PermissionDenied: "permission",
  AddrInUse: "in_use",
};

/** Classifies anything that a socket operation threw. */
export function classify(error: unknown): Happening {
  if (!(error instanceof Error)) return "other";
  const code = (error as { code?: unknown }).code;
  if (code === "EADDRNOTAVAIL" || error.name === "AddrNotAvailable") return "not_local";
  if (typeof code === "string" && BY_CODE[code] !== undefined) return BY_CODE[code];
  if (BY_NAME[error.name] !== undefined) return BY_NAME[error.name]!;
  return /too many open files|os error 2[34]\b/i.test(error.message) ? "descriptors" : "other";
}

/** The same for a dial: an address that isn't local means that no port was left. */
export function classifyDial(error: unknown): Happening {
  const happening = classify(error);
  return happening === "not_local" ? "ports" : happening;
}

/** Did a dial fail for want of descriptors or ports: our side's limit, never the backend's fault? */
export function isOurs(error: unknown): boolean {
  const happening = classifyDial(error);
  return happening === "descriptors" || happening === "ports";
}

const TEXTS: Readonly<Record<Happening, string>> = {
  refused: "connection refused",
  timeout: "timed out",
  reset: "connection reset",
  closed: "closed",
  unreachable: "unreachable",
  descriptors: "out of file descriptors (raise the limit: ulimit -n)",
  ports: "out of local ports (see net.ipv4.ip_local_port_range)",
  in_use: "address in use",
  permission: "permission denied",
  not_local: "not an address of this host",
  other: "",
};

/** Messages of the runtime's that say little to whoever hasn't written it. */
const PLAINER: readonly (readonly [RegExp, string])[] = [
  [/InvalidContentType|wrong version number/, "it doesn't speak TLS there"],
  [/^Parse Error: Expected HTTP/, "it doesn't speak HTTP there"],
];

/** Characters of a message that are shown. */
const LONGEST = 300;

/** What happened, for people. */
export function whatHappened(error: unknown): string {
  const text = TEXTS[classifyDial(error)];
  if (text !== "") return text;
  const message = error instanceof Error ? error.message : String(error);
  const plainer = PLAINER.find(([pattern]) => pattern.test(message))?.[1] ?? message;
  return plainer.length > LONGEST ? `${plainer.slice(0, LONGEST)}…` : plainer; // peers may have a say in it
}
