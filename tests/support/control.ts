import { createApp } from "../../api/app.ts";
import type { ApiOptions } from "../../api/app.ts";
import type { ApiApp, ApiEnv } from "../../api/env.ts";
import type { Changes } from "../../lib/config/diff.ts";
import type { ConfigSource, Control } from "../../lib/control.ts";
import type { ConfigDocument, Section } from "../../lib/model.ts";
import type { ServerStatus } from "../../lib/status.ts";
import { NO_OVERLAY } from "../../lib/overlay.ts";
import { MemoryLog } from "./log.ts";

const NONE = { added: [], changed: [], removed: [] };
/** Of a reload of what is in force already. */
export const NO_CHANGES: Changes = { text: "nothing changed", servers: NONE, pools: NONE };

/** What a fake balancer has. */
export type FakeControl = {
  readonly servers?: Readonly<Record<string, Section>>;
  readonly api?: Section;
  readonly statuses?: Readonly<Record<string, ServerStatus>>;
  readonly source?: ConfigSource;
  readonly startedAtMs?: number;
};

/** A balancer that only answers. */
export function fakeControl(fake: FakeControl = {}): Control {
  const { servers = {}, statuses = {}, api = { enabled: true } } = fake;
  const document: ConfigDocument = {
    logging: { level: "info" },
    api,
    metrics: {},
    defaults: {},
    acme: null,
    profiler: {},
    servers,
    top: {},
  };
  return {
    config: () => ({
      process: { watchdogMs: 0, shutdownMs: 0, takeoverMs: 0 },
      logging: { level: "info", output: "stdout", format: "text" },
      servers: new Map(),
      pools: new Map(),
      document,
    }),
    status: (name) => Object.hasOwn(statuses, name) ? statuses[name] : undefined,
    pool: () => undefined,
    overlay: () => NO_OVERLAY,
    conflicts: () => [],
    reload: () => Promise.resolve({ changes: NO_CHANGES, conflicts: [] }),
    reloads: () => ({ applied: 0, failed: 0 }),
    addServer: () => Promise.resolve(),
    removeServer: (name) => Promise.resolve(Object.hasOwn(servers, name)),
    changeBackend: () => Promise.resolve(undefined),
    forget: () => Promise.resolve(undefined),
    source: () => fake.source ?? { kind: "file", path: "/etc/twixt.toml" },
    startedAtMs: fake.startedAtMs ?? 0,
  };
}

/** The API over a fake balancer: no login, nobody else may write, dumps are JSON. */
export function fakeApi(fake: FakeControl = {}, options: Partial<ApiOptions> = {}): ApiApp {
  return createApp(fakeControl(fake), {
    version: "1.2.3",
    spec: { cors: false },
    isAllowed: () => false,
    dump: (document, format) => `${format} ${JSON.stringify(document)}`,
    log: new MemoryLog(),
    ...options,
  });
}

/** A request's surroundings, as the listener gives them. */
export function callFrom(client: string): ApiEnv["Bindings"] {
  return { client, closing: new AbortController().signal };
}

/** A caller on the same host. */
export const LOCAL: ApiEnv["Bindings"] = callFrom("127.0.0.1");
