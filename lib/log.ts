import { configure, getLogger, type LogRecord, reset } from "@logtape/logtape";
import { printable } from "./errors.ts";
import type { LoggingSpec } from "./model.ts";

/** What a line says beside its message. */
export type Fields = Readonly<Record<string, unknown>>;

/** Writes log lines; `name` says which part speaks. */
export type Log = {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warning(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** The same log under the name of another part. */
  part(name: string): Log;
};

/** Takes finished lines. It never blocks and never throws. */
export type LineSink = (line: string) => void;

/** Starts logging as configured; lines go to `sink`. Replaces what was configured before. */
export async function startLog(spec: LoggingSpec, sink: LineSink): Promise<Log> {
  const print = spec.format === "json" ? jsonLine : textLine;
  await reset();
  await configure({
    sinks: { out: (record) => sink(print(record)) },
    loggers: [
      { category: ["logtape", "meta"], sinks: ["out"], lowestLevel: "error" },
      { category: ["twixt"], sinks: ["out"], lowestLevel: spec.level },
    ],
  });
  return logOf("main");
}

function logOf(name: string): Log {
  const logger = getLogger(["twixt", name]);
  return {
    debug: (message, fields) => logger.debug(escape(message), fields ?? {}),
    info: (message, fields) => logger.info(escape(message), fields ?? {}),
    warning: (message, fields) => logger.warning(escape(message), fields ?? {}),
    error: (message, fields) => logger.error(escape(message), fields ?? {}),
    part: logOf,
  };
}

/** Messages are texts of ours, not templates. */
function escape(message: string): string {
  return message.replaceAll("{", "{{").replaceAll("}", "}}");
}

/** `2026-01-02 03:04:05 [INFO ] (main): message key=value`, local time: gobetween's line. */
export function textLine(record: LogRecord): string {
  const level = record.level.toUpperCase().slice(0, 5).padEnd(5);
  const fields = Object.entries(record.properties)
    .map(([key, value]) => ` ${key}=${fieldText(value)}`).join("");
  const message = printable(messageText(record));
  return `${localTime(new Date(record.timestamp))} [${level}] (${
    partOf(record)
  }): ${message}${fields}\n`;
}

/** One JSON object with `level`, `msg`, `name`, `time` and the fields. */
export function jsonLine(record: LogRecord): string {
  return JSON.stringify({
    level: record.level,
    msg: messageText(record),
    name: partOf(record),
    time: new Date(record.timestamp).toISOString(),
    ...record.properties,
  }) + "\n";
}

function partOf(record: LogRecord): string {
  return record.category[1] ?? record.category[0] ?? "";
}

function messageText(record: LogRecord): string {
  return record.message.map(String).join("");
}

function fieldText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
  return printable(/[\s"=]/.test(text) && typeof value === "string" ? JSON.stringify(text) : text);
}

function localTime(date: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
