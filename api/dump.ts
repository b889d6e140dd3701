import { Hono } from "hono";
import type { Control } from "../lib/control.ts";
import { maskSecrets } from "../lib/mask.ts";
import type { ConfigDocument } from "../lib/model.ts";
import { answerText } from "./answer.ts";
import type { ApiApp, ApiEnv } from "./env.ts";
import { ApiError } from "./errors.ts";

/** How a configuration can be written. */
export type DumpFormat = "toml" | "json";

/** Writes a configuration as text that can be loaded again. */
export type Dump = (document: ConfigDocument, format: DumpFormat) => string;

/** `GET /dump?format=toml|json`: the configuration in force, with its secrets masked. */
export function dump(control: Control, print: Dump): ApiApp {
  return new Hono<ApiEnv>().get("/dump", (c) => {
    const format = c.req.query("format") || "toml";
    if (format !== "toml" && format !== "json") {
      throw new ApiError(400, `"${format}" is not a format`, {
        key: "format",
        hint: "One of toml, json",
      });
    }
    return answerText(print(maskSecrets(control.config().document), format));
  });
}
