import { StartError } from "../lib/errors.ts";
import { MASK, maskSecrets } from "../lib/mask.ts";

/**
 * The arguments to go by: those of the command line, or those of gobetween's variable GOBETWEEN, a JSON array of
 * strings.
 *
 * @param tell Is told of the variable's list, without its secrets.
 * @throws StartError when there are both, or the variable isn't such an array.
 */
export function argumentsOf(
  args: readonly string[],
  variable: string | undefined,
  tell: (text: string) => void,
): readonly string[] {
  if (variable === undefined || variable === "") return args;
  if (args.length > 0) {
    throw new StartError(
      "there are arguments, and the variable GOBETWEEN is set, too",
      "use one of the two: unset GOBETWEEN, or leave the arguments out",
      true,
    );
  }
  const list = parse(variable);
  if (list === undefined) {
    throw new StartError(
      "the variable GOBETWEEN is not a JSON array of strings",
      `write it like this: GOBETWEEN='["from-file", "twixt.toml"]'`,
      true,
    );
  }
  tell(`arguments from the variable GOBETWEEN: ${JSON.stringify(masked(list))}`);
  return list;
}

function parse(text: string): readonly string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    const strings = Array.isArray(list) && list.every((each) => typeof each === "string");
    return strings ? list : undefined;
  } catch {
    return undefined; // not JSON
  }
}

/** Arguments as they may be shown. */
function masked(args: readonly string[]): string[] {
  return args.map((arg, index) => {
    if (index > 0 && /^(-l|--login)$/.test(args[index - 1]!)) return MASK;
    const login = /^(--login=|-l)./.exec(arg);
    return login === null ? maskSecrets(arg) : `${login[1]}${MASK}`;
  });
}
