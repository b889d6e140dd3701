import { checkOverlay, NO_OVERLAY, type Overlay } from "./overlay.ts";

/** Backends that their checks have taken down: `host:port` by pool. */
export type DownBackends = Readonly<Record<string, readonly string[]>>;

/** What a process leaves to the next one. Pure; the state file keeps it. */
export type State = {
  /** What was changed through the API. */
  readonly overlay: Overlay;
  /** A process that takes over believes it, a later start finds out for itself. */
  readonly down: DownBackends;
  /** The id of the process that wrote this as its last word, when another had taken over. */
  readonly handedOverBy?: number | undefined;
};

/** Of a process that left nothing. */
export const NO_STATE: State = { overlay: NO_OVERLAY, down: {} };

const VERSION = 1;

/** The text of a state file. */
export function printState({ overlay, down, handedOverBy }: State): string {
  return `${JSON.stringify({ version: VERSION, overlay, down, handedOverBy }, null, 2)}\n`;
}

/** Reads the text of a state file; a string says why it can't be used. */
export function parseState(text: string): State | string {
  let raw: Record<string, unknown> | null;
  try {
    raw = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  if (raw?.["version"] !== VERSION) return "it is not a state file of this version";
  const overlay = checkOverlay(raw["overlay"]);
  if (typeof overlay === "string") return overlay;
  const { down = {}, handedOverBy } = raw;
  if (!isDown(down) || !["number", "undefined"].includes(typeof handedOverBy)) {
    return "an entry is not what was written there";
  }
  return { overlay, down, handedOverBy: handedOverBy as number | undefined };
}

function isDown(value: unknown): value is DownBackends {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((keys) =>
      Array.isArray(keys) && keys.every((key) => typeof key === "string")
    );
}
