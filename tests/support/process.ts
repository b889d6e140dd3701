import { program } from "./twixt.ts";

/** Runs a command of Twixt to its end, for as long as that takes, where `runTwixt()` would lose patience. */
export async function runToEnd(
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const [command, ...first] = program();
  const child = new Deno.Command(command!, { args: [...first, ...args], stdin: "null" });
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}
