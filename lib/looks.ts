/** Time between two looks at a watched file, milliseconds. */
export const LOOK_MS = 500;

/**
 * How a file looks: another text for anything that may mean another content. Works for every way of replacing one: in
 * place, by a rename, by a symbolic link of its path that leads elsewhere.
 */
export async function looksOf(path: string): Promise<string> {
  try {
    const { dev, ino, mtime, ctime, size } = await Deno.stat(path);
    return JSON.stringify([path, dev, ino, mtime, ctime, size]);
  } catch (error) {
    return JSON.stringify([path, (error as Error).name]);
  }
}
