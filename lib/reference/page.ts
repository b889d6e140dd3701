/** `docs/reference.md`, made from the schemas and the registries. Pure. */
import type { Kinds } from "../config/pool.ts";
import { unavailable } from "../config/unavailable.ts";
import type { CheckKind, DiscoveryKind } from "../kinds.ts";
import { checkExample, discoveryExample, strategyExample } from "./examples.ts";
import type { KeyWords } from "./keys.ts";
import { type AnySection, keysOf, usableSections } from "./sections.ts";
import { HEAD, VALUES } from "./prose.ts";

/** A heading with what stands below it. */
type Chapter = {
  readonly level: 2 | 3;
  readonly title: string;
  /** Without headings; blocks. */
  readonly body: readonly string[];
  readonly keys: readonly KeyWords[];
};

/**
 * The reference as Markdown: how values are written, every section and key that can be used, every kind with an example,
 * what isn't available yet, and all keys by the alphabet.
 * @throws Error when a key's type or a section can't be described.
 */
export function referencePage(kinds: Kinds): string {
  const chapters: readonly Chapter[] = [
    { level: 2, title: "How values are written", body: [VALUES], keys: [] },
    ...usableSections().flatMap((section) => chaptersOf(section, kinds)),
    { level: 2, title: "Not available yet", body: [notYet(kinds)], keys: [] },
  ];
  const index: Chapter = { level: 2, title: "All keys", body: [indexOf(chapters)], keys: [] };
  const all = [...chapters, index];
  const blocks = [HEAD, contentsOf(all), ...all.flatMap(blocksOf)];
  return `${blocks.join("\n\n")}\n`;
}

/** The anchor that Git hosts make of a heading. */
export function anchorOf(title: string): string {
  return title.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
}

function chaptersOf(section: AnySection, kinds: Kinds): Chapter[] {
  const keys = keysOf(section);
  const own: Chapter = { level: 2, title: titleOf(section), body: [section.summary], keys };
  if (section.at === "pools.*") return [own, strategiesOf(kinds)];
  if (section.at === "discovery") return [own, ...kinds.discoveries.all().map(discoveryOf)];
  if (section.at === "healthcheck") return [own, ...kinds.checks.all().map(checkOf)];
  return [own];
}

/** Those that stand in several places go by what they are for. */
const TITLES: Readonly<Record<string, string>> = {
  "": "Top of the file",
  discovery: "Discoveries",
  healthcheck: "Checks",
};

function titleOf({ at }: AnySection): string {
  return TITLES[at] ?? `\`[${at.replace("*", "NAME")}]\``;
}

function strategiesOf({ strategies }: Kinds): Chapter {
  const rows = strategies.all().map(({ name, summary }) => [`\`balance = "${name}"\``, summary]);
  const body = [
    "How a server, or a pool, chooses a backend for each session.",
    table(["strategy", "meaning"], rows),
    toml(strategyExample(strategies.all()[0]!)),
  ];
  return { level: 2, title: "Strategies", body, keys: [] };
}

function discoveryOf(kind: DiscoveryKind): Chapter {
  const notes = [
    ...kind.fixed ? ["It is asked once: `interval` has no effect."] : [],
    ...kind.watch === undefined
      ? []
      : ["Changes are followed as they come: `interval` counts only after a failure."],
  ];
  return kindChapter("Discovery", kind, notes, discoveryExample(kind));
}

function checkOf(kind: CheckKind): Chapter {
  return kindChapter("Check", kind, [], checkExample(kind));
}

function kindChapter(
  sort: string,
  kind: DiscoveryKind | CheckKind,
  notes: readonly string[],
  example: string,
): Chapter {
  const runs = kind.commands === undefined
    ? []
    : ["How programs are run: [kinds.md](kinds.md#programs)."];
  const keys = keysOf({ at: "", keys: kind.shape as AnySection["keys"] });
  const none = keys.length === 0 ? ["It has no keys of its own."] : [];
  const text = [kind.summary, ...notes, ...runs, ...none].join(" ");
  return { level: 3, title: `${sort} \`${kind.name}\``, body: [text, toml(example)], keys };
}

function blocksOf({ level, title, body, keys }: Chapter): string[] {
  const heading = `${"#".repeat(level)} ${title}`;
  return [heading, ...body, ...keys.length === 0 ? [] : [keyTable(keys)]];
}

function keyTable(keys: readonly KeyWords[]): string {
  const rows = keys.map(({ key, value, otherwise, text }) =>
    [`\`${key}\``, value, otherwise, text] as const
  );
  return table(["key", "value", "default", "meaning"], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}

function toml(text: string): string {
  return `\`\`\`toml\n${text}\`\`\``;
}

function contentsOf(chapters: readonly Chapter[]): string {
  const lines = chapters.map(({ level, title }) =>
    `${level === 3 ? "  " : ""}- [${title}](#${anchorOf(title)})`
  );
  return ["## Contents", "", ...lines].join("\n");
}

/** What the configuration's check knows by name and refuses. */
function notYet({ strategies, discoveries, checks }: Kinds): string {
  const planned = [strategies, discoveries, checks].flatMap(({ planned, sort }) =>
    planned.map((name) => `- the ${sort} \`${name}\``)
  );
  const keys = unavailable.map(({ at, value }) => {
    const path = at.replace("*", "NAME");
    return value === undefined ? `- \`${path}\`` : `- \`${path} = ${JSON.stringify(value)}\``;
  });
  return ["These are known, and refused by name:", "", ...keys, ...planned].join("\n");
}

/** Each key with the chapters that have it. */
function indexOf(chapters: readonly Chapter[]): string {
  const places = chapters.flatMap(({ title, keys }) => keys.map(({ key }) => ({ key, title })));
  const byKey = [...Map.groupBy(places, ({ key }) => key)].sort(([a], [b]) => a < b ? -1 : 1);
  return byKey.map(([key, where]) => {
    const links = where.map(({ title }) => `[${title}](#${anchorOf(title)})`);
    return `- \`${key}\`: ${links.join(", ")}`;
  }).join("\n");
}
