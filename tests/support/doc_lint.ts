/**
 * `deno doc --lint` over everything that the program is made of. Types of packages in our signatures
 * (zod's, hono's) are "private" to it because the packages aren't documented here; everything else counts.
 */
const FOLDERS = ["lib", "protocols", "discovery", "health", "api", "cli"];

async function files(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await files(path));
    else if (path.endsWith(".ts")) found.push(path);
  }
  return found;
}

const all = (await Promise.all(FOLDERS.map(files))).flat();
const { stderr } = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--lint", ...all],
  env: { NO_COLOR: "1" },
}).output();
const complaints = new TextDecoder().decode(stderr).split(/^(?=error\[)/m)
  .filter((text) => text.startsWith("error[") && !text.startsWith("error[private-type-ref]"));
for (const complaint of complaints) console.error(complaint.trimEnd());
console.log(`${all.length} files, ${complaints.length} exports without documentation`);
if (complaints.length > 0) Deno.exit(1);
