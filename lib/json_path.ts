/** Paths into JSON, as gobetween writes them: `address.host`, `endpoints[0].ip`, `a.[1].b`; `.` is the value itself. */

/** The steps of a path: a name, or a number for an element of an array. */
export type JsonPath = readonly (string | number)[];

const ELEMENT = /^\[(\d{1,9})\]/;
const NAME = /^[^.[\]]+/;

/** Takes a path apart. A string says what is wrong with it and, after a line break, what to do. */
export function parseJsonPath(text: string): JsonPath | string {
  if (text === ".") return [];
  const steps: (string | number)[] = [];
  for (let rest = text; rest !== "";) {
    const index = ELEMENT.exec(rest);
    const found = index ?? NAME.exec(rest);
    if (found === null) break;
    steps.push(index === null ? found[0] : Number(index[1]));
    rest = rest.slice(found[0].length);
    if (rest === "") return steps;
    const dot = rest.startsWith(".");
    if (dot) rest = rest.slice(1);
    else if (!rest.startsWith("[")) break;
    if (rest === "") break; // it ends with a dot
  }
  return `${JSON.stringify(text)} is not a path\n` +
    "write names with dots between them, and [n] for an element: address.host, ports[0].number";
}

/** What is at a path; undefined where nothing is. Only a value's own fields count. */
export function valueAt(value: unknown, path: JsonPath): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null) return undefined;
    if (Array.isArray(at) !== (typeof step === "number")) return undefined;
    at = Object.hasOwn(at, step) ? (at as Record<string | number, unknown>)[step] : undefined;
  }
  return at;
}
