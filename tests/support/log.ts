import type { Fields, Log } from "../../lib/log.ts";

/** A log that remembers its lines: `level message key=value`. */
export class MemoryLog implements Log {
  readonly lines: string[] = [];
  debug = (message: string, fields?: Fields): void => this.#add("debug", message, fields);
  info = (message: string, fields?: Fields): void => this.#add("info", message, fields);
  warning = (message: string, fields?: Fields): void => this.#add("warning", message, fields);
  error = (message: string, fields?: Fields): void => this.#add("error", message, fields);
  part = (): Log => this;

  #add(level: string, message: string, fields: Fields = {}): void {
    const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${value}`).join("");
    this.lines.push(`${level} ${message}${rest}`);
  }
}
