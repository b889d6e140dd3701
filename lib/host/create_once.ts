import { removeIfThere } from "./replace_file.ts";

/**
 * Writes a file, which only this user may read, and the folders above it, unless there is one. Of several who do so at
 * the same time one is the first: all get what is in the file then.
 *
 * @throws when it can't be written.
 */
export function createOnce(path: string, text: string): string {
  const folder = path.slice(0, path.lastIndexOf("/"));
  if (folder !== "") Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    using file = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
    Deno.linkSync(temporary, path); // a rename would replace what is there
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  } finally {
    removeIfThere(temporary);
  }
  return Deno.readTextFileSync(path);
}
