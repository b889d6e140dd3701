/** `[[servers.NAME.routes]]`: rules that lead a server's clients to pools. */
import { z } from "zod";
import type { TextMatch } from "../routing_spec.ts";
import { quote } from "./issues.ts";
import type { Section } from "./schema.ts";
import { networks, text } from "./values.ts";

/** `[[servers.NAME.routes]]`. */
export type RouteKeys = { pool: string };
/** A rule that leads clients to a pool. */
export const route: Section<RouteKeys> = {
  at: "servers.*.routes",
  summary:
    "Written as `[[servers.NAME.routes]]`, one for each rule: which pool serves which clients. " +
    "The first whose match holds decides. Whom none takes gets the server's own pool or discovery; a " +
    "server without one refuses them.",
  keys: { pool: text("The pool of `[pools]` that serves them.") },
  sections: ["match"],
};

/** `match` of a route. */
export type MatchKeys = { sni: TextMatch[]; alpn: TextMatch[]; client: string[] };
/** What a route asks of a client. */
export const match: Section<MatchKeys> = {
  at: "servers.*.routes.match",
  summary:
    'As in `match = { sni = "*.example.com", client = ["10.0.0.0/8"] }`: all keys that are given ' +
    "must hold. Without match a route takes everybody. The TLS hello is read only where sni or alpn " +
    "decides, for 5 seconds at most or the `read_timeout` of the server's sni section.",
  keys: {
    sni: texts("The name that the client asks for, in any case.", parseName).optional()
      .meta({ otherwise: "any name, or none" }),
    alpn: texts("One of the protocols that it offers, as in `h2`.", parseProtocol).optional()
      .meta({ otherwise: "any, or none" }),
    client: networks("Networks of which one has its address.").min(1, "is empty\nleave it out")
      .optional().meta({ otherwise: "any address" }),
  },
  sections: [],
};

const HOWS = ["equals", "prefix", "suffix"] as const;
const FORM =
  'write "TEXT", "*TEXT", "TEXT*" or { equals = "TEXT" }, { prefix = … }, { suffix = … }';

/** Judges a text of a client's hello, and writes it as hellos have it. */
type ParseText = (text: string, how: TextMatch["how"]) => string | { readonly wrong: string };

/** One text or several, each plain, with a `*` at one end, or a table that says how it is compared. */
function texts(
  describe: string,
  parse: ParseText,
): z.ZodType<TextMatch[] | undefined, unknown> {
  return z.any().transform((written: unknown, context): TextMatch[] | undefined => {
    if (written === undefined) return undefined;
    const wrong = (message: string, path: number[] = []) => {
      context.addIssue({ code: "custom", message, path });
    };
    if (Array.isArray(written) && written.length === 0) wrong("is empty\nleave it out");
    const many = Array.isArray(written) ? written : [written];
    return many.flatMap((one, index) => {
      const match = parseMatch(one, parse);
      if (typeof match !== "string") return [match];
      wrong(match, Array.isArray(written) ? [index] : []);
      return [];
    });
  }).meta({
    description: `${describe} One, or a list of which one must hold.`,
    form: 'text, `"*TEXT"`, `"TEXT*"` or `{ equals, prefix or suffix = "TEXT" }`',
  });
}

/** A string says what is wrong. */
function parseMatch(
  written: unknown,
  parse: ParseText,
): TextMatch | string {
  const raw = typeof written === "string" ? starred(written) : tabled(written);
  if (typeof raw === "string") return raw;
  const any = raw.how === "prefix" && raw.text === "" && written === "*";
  const text = any ? "" : parse(raw.text, raw.how);
  return typeof text === "string" ? { how: raw.how, text } : text.wrong;
}

function starred(written: string): TextMatch | string {
  const bare = written.replace(/^\*|\*$/, "");
  if (bare.includes("*")) {
    return `${quote(written)} has a * too many\nit stands at the beginning or the end`;
  }
  if (bare === written) return { how: "equals", text: written };
  return written.startsWith("*") && bare !== ""
    ? { how: "suffix", text: bare }
    : { how: "prefix", text: bare };
}

function tabled(written: unknown): TextMatch | string {
  if (typeof written !== "object" || written === null) {
    return `${quote(written)} is not a text\n${FORM}`;
  }
  const [entry, ...more] = Object.entries(written);
  const how = HOWS.find((how) => how === entry?.[0].toLowerCase());
  if (how === undefined || more.length > 0) return `is no way to compare\n${FORM}`;
  const text: unknown = entry![1];
  return typeof text === "string" ? { how, text } : `${quote(text)} is not a text\n${FORM}`;
}

/** Names come from the hello in lower case, without a dot at the end. */
function parseName(text: string, how: TextMatch["how"]): string | { readonly wrong: string } {
  const lower = text.toLowerCase();
  const name = how === "prefix" ? lower : lower.replace(/(?<=.)\.$/, "");
  if (/^[a-z0-9._-]{1,253}$/.test(name)) return name;
  const hint = "letters, digits, hyphens and dots; other letters as xn--…";
  return { wrong: `${quote(text)} is in no name that clients ask for\n${hint}` };
}

function parseProtocol(text: string): string | { readonly wrong: string } {
  if (/^[\x21-\x7e]{1,255}$/.test(text)) return text;
  return { wrong: `${quote(text)} is no protocol\nfor example "h2" or "http/1.1"` };
}
