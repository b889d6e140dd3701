import type { DiscoveryKind } from "../lib/kinds.ts";
import { Registry } from "../lib/registry.ts";
import { exec } from "./exec.ts";
import { file } from "./file.ts";
import { json } from "./json.ts";
import { plaintext } from "./plaintext.ts";
import { staticList } from "./static.ts";

/** Every discovery. A new one is a new file, a line here, and a test. */
export const discoveries: Registry<DiscoveryKind> = new Registry(
  "discovery",
  [staticList, exec, plaintext, json, file],
  ["srv", "docker", "consul", "lxd"],
);
