import { parse as parseToml, TomlError } from "smol-toml";
import { type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { ConfigError } from "../errors.ts";

/** The two ways to write a configuration. */
export type Format = "toml" | "json";

/** A text of a configuration, and what it is called in messages. */
export type ConfigText = {
  readonly text: string;
  readonly format: Format;
  readonly file: string;
};

/** The tree of a text. Throws {@link ConfigError} with line and column where it is neither. */
export function parseText(text: string, file: string, format: Format): unknown {
  const plain = text.startsWith("\ufeff") ? text.slice(1) : text;
  return format === "toml" ? toml(plain, file) : json(plain, file);
}

function toml(text: string, file: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    if (error instanceof TomlError) {
      const message = error.message.split("\n", 1)[0]!.replace("Invalid TOML document: ", "");
      throw syntaxError(message, tomlHint(message, text), file, error.line, error.column);
    }
    // A text that is nested too deeply overflows the parser's stack.
    const reason = error instanceof RangeError ? "it is nested too deeply" : String(error);
    throw syntaxError(`can't be read: ${reason}`, "", file);
  }
}

function tomlHint(message: string, text: string): string {
  if (text.trimStart().startsWith("{")) return "is it JSON? Then say so: -f json, or name it .json";
  if (message.includes("invalid value")) {
    return 'text is written in quotes, as in balance = "weight"';
  }
  if (message.includes("redefine")) return "the same section or key stands further up";
  return "it is read as TOML 1.0, in UTF-8";
}

function json(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (text.trim() === "") throw syntaxError("is empty", "the least is {}", file);
    const found: ParseError[] = [];
    try {
      parseTree(text, found, { disallowComments: true, allowTrailingComma: false });
    } catch { /* RangeError: nested too deeply */ }
    const first = found[0];
    if (first === undefined) throw syntaxError(`not JSON: ${(error as Error).message}`, "", file);
    const { line, column } = lineAndColumn(text, first.offset);
    const code = printParseErrorCode(first.error);
    const words = code.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
    throw syntaxError(`not JSON: ${words}`, "it is read as strict JSON", file, line, column);
  }
}

function syntaxError(
  message: string,
  hint: string,
  file: string,
  line?: number,
  column?: number,
): ConfigError {
  return new ConfigError([{ path: [], message, hint, file, line, column }]);
}

/** Line and column, from 1, of an offset. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: offset - start + 1 };
}
