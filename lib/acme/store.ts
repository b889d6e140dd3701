import { messageOf, StartError } from "../errors.ts";
import { createOnce } from "../host/create_once.ts";
import { removeIfThere, replaceFile } from "../host/replace_file.ts";
import { acmeFile } from "./files.ts";

/** How often a host's certificate couldn't be had in a row, and when to try again, in milliseconds since 1970. */
export type Failures = { readonly count: number; readonly againMs: number };

/** Where the certificates of an authority and our key for it are kept: files that this user alone may read. */
export class AcmeStore {
  /**
   * Makes the folder, and the one above it.
   * @param folder Its path, see `acmeFolder()`.
   * @throws StartError where it can't be used, or others may look into it
   */
  constructor(readonly folder: string) {
    const above = folder.slice(0, folder.lastIndexOf("/"));
    for (const each of [above, folder]) {
      makePrivate(each); // who owns the one above could put another in its place
    }
  }

  /** Keeps a certificate with its chain and its key, both PEM, in one file: they are never half new. @throws Error */
  write(host: string, cert: string, key: string): void {
    replaceFile(acmeFile(this.folder, host), `${key.trim()}\n${cert.trim()}\n`);
  }

  /** The key of our account with this authority, made by `make` where there is none yet. PEM. */
  async accountKey(make: () => Promise<string>): Promise<string> {
    const path = `${this.folder}/account.key`;
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return createOnce(path, await make());
  }

  /** What went wrong for a host, in this process or one before it: authorities count over restarts, too. */
  failures(host: string): Failures | undefined {
    try {
      const { count, againMs } = JSON.parse(Deno.readTextFileSync(this.#failed(host)));
      return Number.isSafeInteger(count) && Number.isFinite(againMs)
        ? { count, againMs }
        : undefined;
    } catch {
      return undefined; // there is no such file, or nothing that can be used in it
    }
  }

  /** Keeps that, or forgets it. */
  setFailures(host: string, failures: Failures | undefined): void {
    try {
      if (failures === undefined) removeIfThere(this.#failed(host));
      else replaceFile(this.#failed(host), JSON.stringify(failures));
    } catch {
      // the disk is full: this process knows it all the same
    }
  }

  #failed(host: string): string {
    return `${acmeFile(this.folder, host)}.failed`;
  }
}

function makePrivate(folder: string): void {
  const hint = "set acme.cache_dir to a folder that this user may write to";
  let found: Deno.FileInfo;
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    found = Deno.lstatSync(folder);
  } catch (error) {
    throw new StartError(`${folder} can't be made: ${messageOf(error)}`, hint);
  }
  const { isDirectory, uid, mode } = found;
  if (!isDirectory || uid !== Deno.uid() || ((mode ?? 0) & 0o077) !== 0) {
    const message = `${folder} isn't a folder that only this user may open`;
    throw new StartError(message, `chmod 700, or ${hint}`);
  }
}
