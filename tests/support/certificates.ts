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
