import { messageOf, StartError } from "../errors.ts";
import { createOnce } from "../host/create_once.ts";
import { replaceFile } from "../host/replace_file.ts";
import { fnv1a } from "../fnv.ts";
import { acmeFile } from "./files.ts";

/** Where the certificates of hosts and the keys of accounts are kept: files that this user alone may read. */
export class AcmeStore {
  /**
   * Makes the folder.
   * @param folder Its path, see `acmeFolder()`.
   * @throws StartError where it can't be used, or others may look into it
   */
  constructor(readonly folder: string) {
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
      throw new StartError(
        `${folder} isn't a folder that only this user may open`,
        `chmod 700, or ${hint}`,
      );
    }
  }

  /** Keeps a certificate with its chain and its key, both PEM, in one file: they are never half new. */
  write(host: string, cert: string, key: string): void {
    replaceFile(acmeFile(this.folder, host), `${key.trim()}\n${cert.trim()}\n`);
  }

  /** The key of the account with this authority, made by `make` where there is none yet. PEM. */
  async accountKey(directory: string, make: () => Promise<string>): Promise<string> {
    const path = `${this.folder}/account-${
      fnv1a(new TextEncoder().encode(directory)).toString(16)
    }.key`;
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return createOnce(path, await make());
  }
}
