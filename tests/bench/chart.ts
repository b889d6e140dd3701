/** The chart of a run, drawn by Vega: the one library that only this needs, so it stands in a deno.json of its own. */
import { type ProxyResult, type Results, unitCosts } from "./results.ts";
import { digits, type Spread, spread } from "./statistics.ts";

/** Colours on white, and what stands for them on black. */
const TEXT = "#1f2328";
const FAINT = "#818b98";
const OWN = "#0969da";
const OTHER = "#afb8c1";
const DARK: Readonly<Record<string, string>> = {
  [TEXT]: "#e6edf3",
  [FAINT]: "#8b949e",
  [OWN]: "#4493f8",
  [OTHER]: "#484f58",
};
const LIBRARIES = ["vega", "vega-lite"];
const FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";

type Panel = {
  readonly title: string;
  readonly valuesOf: (proxy: ProxyResult) => readonly number[];
};

const PANELS: readonly Panel[] = [
  {
    title: "CPU per request, µs",
    valuesOf: (proxy) => unitCosts(proxy, "keepalive"),
  },
  {
    title: "CPU per short connection, µs",
    valuesOf: (proxy) => unitCosts(proxy, "short"),
  },
  { title: "CPU per GB, s", valuesOf: (proxy) => unitCosts(proxy, "bulk") },
  {
    title: "Memory per idle connection, KiB",
    valuesOf: ({ idleBytes }) => idleBytes.map((bytes) => bytes / 1024),
  },
];

/** Bars of what matters, less is better, as SVG that is readable on white and on black. */
export async function drawChart(results: Results): Promise<string> {
  // not literal: the program's own deno.json, its lock file and its executable know nothing of these
  const [vega, { compile }] = await Promise.all(
    LIBRARIES.map((name) => import(name)),
  );
  const view = new vega.View(vega.parse(compile(chartSpec(results)).spec), {
    renderer: "none",
  });
  const svg = await view.toSVG();
  view.finalize();
  return darkened(svg);
}

/** What is drawn. */
export function chartSpec(results: Results): Record<string, unknown> {
  const proxies = results.proxies.filter(({ id }) => id !== "twixt2");
  const panels = PANELS.map(({ title, valuesOf }) => {
    const bars = proxies.filter((proxy) => valuesOf(proxy).length > 0)
      .map((proxy) => bar(proxy, spread(valuesOf(proxy))));
    return { title, bars };
  }).filter(({ bars }) => bars.length > 0);
  return {
    background: "transparent",
    title: {
      text: "Less is better",
      subtitle: `one worker each; median of ${results.rounds} rounds, lines from least to greatest`,
      anchor: "start",
      frame: "bounds",
      color: TEXT,
      subtitleColor: FAINT,
      fontSize: 15,
      subtitleFontSize: 12,
      offset: 16,
    },
    columns: 2,
    spacing: { row: 28, column: 36 },
    concat: panels.map(({ title, bars }) => panelSpec(title, bars)),
    config: { font: FONT, view: { stroke: null }, concat: { spacing: 30 } },
  };
}

type Bar = Spread & {
  readonly label: string;
  readonly text: string;
  readonly colour: string;
};

function bar({ id, label }: ProxyResult, values: Spread): Bar {
  const own = id === "twixt" || id === "compiled";
  return {
    ...values,
    label: label.replaceAll("`", ""),
    text: digits(values.median),
    colour: own ? OWN : OTHER,
  };
}

function panelSpec(title: string, bars: readonly Bar[]): object {
  const y = {
    field: "label",
    type: "nominal",
    sort: null,
    title: null,
    axis: {
      domain: false,
      ticks: false,
      labelColor: TEXT,
      labelFontSize: 12,
      labelLimit: 200,
      labelPadding: 6,
    },
  };
  const greatest = Math.max(...bars.map(({ high }) => high));
  const x = {
    field: "median",
    type: "quantitative",
    axis: null,
    scale: { domain: [0, greatest * 1.25] },
  };
  return {
    title: {
      text: title,
      anchor: "start",
      frame: "group",
      color: TEXT,
      fontSize: 13,
      fontWeight: 600,
      offset: 8,
    },
    data: { values: bars },
    width: 240,
    height: { step: 24 },
    layer: [
      {
        mark: { type: "bar", height: 14, cornerRadiusEnd: 2 },
        encoding: {
          y,
          x,
          color: { field: "colour", type: "nominal", scale: null },
        },
      },
      {
        mark: { type: "rule", color: TEXT, strokeWidth: 1.5 },
        encoding: { y, x: { ...x, field: "low" }, x2: { field: "high" } },
      },
      {
        mark: { type: "text", align: "left", dx: 6, color: TEXT, fontSize: 12 },
        encoding: { y, x: { ...x, field: "high" }, text: { field: "text" } },
      },
    ],
  };
}

/** Vega writes colours into the elements; rules of a style sheet come before those. */
function darkened(svg: string): string {
  const rules = Object.entries(DARK).map(([light, dark]) =>
    `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`
  );
  const style = `<style>@media (prefers-color-scheme:dark){${rules.join("")}}</style>`;
  return svg.replace(">", `>${style}`) + "\n";
}
