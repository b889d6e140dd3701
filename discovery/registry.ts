import type { DiscoveryKind } from "../lib/kinds.ts";
import { Registry } from "../lib/registry.ts";
import { consul } from "./consul.ts";
import { dns } from "./dns.ts";
import { docker } from "./docker.ts";
import { exec } from "./exec.ts";
import { file } from "./file.ts";
import { json } from "./json.ts";
import { kubernetes } from "./kubernetes.ts";
import { lxd } from "./lxd.ts";
import { plaintext } from "./plaintext.ts";
import { srv } from "./srv.ts";
import { staticList } from "./static.ts";

/** Every discovery. A new one is a new file, a line here, and a test. */
export const discoveries: Registry<DiscoveryKind> = new Registry(
  "discovery",
  [staticList, srv, dns, docker, consul, kubernetes, lxd, exec, plaintext, json, file],
);
