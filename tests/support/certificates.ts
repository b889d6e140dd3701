/** Certificates that openssl makes for one test. */
import { run } from "./real.ts";

/** Paths of a certificate and its key, and of the authority that has signed it. */
export type Certificate = { readonly cert: string; readonly key: string; readonly ca: string };

/** Makes an authority, and a certificate by it for 127.0.0.1 and localhost, in a folder. */
export async function certificate(folder: string, name = "server"): Promise<Certificate> {
  const path = (file: string) => `${folder}/${name}-${file}`;
  const [ca, caKey] = [path("ca.pem"), path("ca-key.pem")];
  const [cert, key] = [path("cert.pem"), path("key.pem")];
  const [request, extensions] = [path("request.pem"), path("extensions")];
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"] as const;
  await run([
    ...["openssl", "req", "-x509", ...fresh, "-keyout", caKey, "-out", ca] as const,
    ...["-days", 2, "-subj", `/CN=${name} authority`],
  ]);
  await run(
    ["openssl", "req", ...fresh, "-keyout", key, "-out", request, "-subj", `/CN=${name}`],
  );
  await Deno.writeTextFile(extensions, "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  await run([
    ...["openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", caKey] as const,
    ...["-CAcreateserial", "-days", 2, "-extfile", extensions, "-out", cert],
  ]);
  return { cert, key, ca };
}

/** How a key is made, by the name of its sort. */
const KEYS = {
  ecdsa: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  rsa: ["-newkey", "rsa:2048"],
} as const;

/** What {@link Authority} makes. */
export type IssueOptions = {
  /** Host names; the first is also the common name. */
  readonly names: readonly string[];
  readonly keys?: keyof typeof KEYS;
  /** From now on; negative: it has expired. Default 30. */
  readonly days?: number;
  /** The subject, as in `/O=Acme/CN=alice`. */
  readonly subject?: string;
  /** Further lines of openssl's extensions. */
  readonly extensions?: string;
};

/** An authority with an intermediate one, in a folder. */
export class Authority {
  private constructor(readonly folder: string) {}

  /** Makes both. */
  static async make(folder: string): Promise<Authority> {
    const authority = new Authority(folder);
    const { ca } = authority;
    await run([
      ...["openssl", "req", "-x509", ...KEYS.ecdsa, "-nodes", "-days", 60] as const,
      ...["-keyout", `${ca}.key`, "-out", ca, "-subj", "/CN=root"],
    ]);
    const extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
    await authority.#sign("intermediate", ca, "ecdsa", extensions, 60);
    return authority;
  }

  /** The path of the root's certificate. */
  get ca(): string {
    return `${this.folder}/root.pem`;
  }

  /** Makes a certificate with its chain, or replaces one, each file by a rename. Paths of the certificate and its key. */
  async issue(name: string, options: IssueOptions): Promise<{ cert: string; key: string }> {
    const { names, keys = "ecdsa", days = 30, subject = `/CN=${names[0]}` } = options;
    const extensions = `subjectAltName=${names.map((each) => `DNS:${each}`).join()}\n` +
      (options.extensions ?? "");
    const intermediate = `${this.folder}/intermediate.pem`;
    const cert = await this.#sign(`${name}-new`, intermediate, keys, extensions, days, subject);
    const chain = await Deno.readTextFile(cert) + await Deno.readTextFile(intermediate);
    await Deno.writeTextFile(cert, chain);
    const final = `${this.folder}/${name}.pem`;
    await Deno.rename(`${cert}.key`, `${final}.key`);
    await Deno.rename(cert, final);
    return { cert: final, key: `${final}.key` };
  }

  async #sign(
    name: string,
    by: string,
    keys: keyof typeof KEYS,
    extensions: string,
    days: number,
    subject = `/CN=${name}`,
  ): Promise<string> {
    const cert = `${this.folder}/${name}.pem`;
    const [request, file] = [`${cert}.request`, `${cert}.extensions`];
    await run([
      ...["openssl", "req", ...KEYS[keys], "-nodes", "-keyout", `${cert}.key`] as const,
      ...["-out", request, "-subj", subject],
    ]);
    await Deno.writeTextFile(file, extensions);
    await run([
      ...["openssl", "x509", "-req", "-in", request, "-CA", by, "-CAkey", `${by}.key`] as const,
      ...["-CAcreateserial", "-days", days, "-extfile", file, "-out", cert],
    ]);
    return cert;
  }
}
