/** Certificates from an authority by ACME (RFC 8555). Loaded where one is needed. */
import * as acme from "acme-client";
import { Agent } from "node:https";
import { getText } from "../net/get.ts";
import { onAbort } from "../own.ts";
import { type PemPair, readPemFile } from "../source/pem.ts";
import type { AcmeSpec } from "../tls_model.ts";
import type { Challenges } from "./challenges.ts";
import type { AcmeStore } from "./store.ts";

/** Longest wait for one answer. */
const ANSWER_MS = 30_000;
/** Longest answer. */
const ANSWER_BYTES = 1 << 20;

/** Where a certificate is asked for, and what with. */
export type IssueOptions = {
  readonly spec: AcmeSpec;
  readonly store: AcmeStore;
  readonly challenges: Challenges;
};

/**
 * Asks an authority for a certificate of a host, with its chain, and makes its key. The signal ends it.
 * @throws Error that says what the authority, or the way to it, has against it
 */
export async function issue(
  host: string,
  { spec: { directory, email, caPath }, store, challenges }: IssueOptions,
  signal: AbortSignal,
): Promise<PemPair> {
  const agent = caPath === undefined ? {} : { ca: readPemFile(caPath, "CERTIFICATE") };
  Object.assign(acme.axios.defaults, {
    acmeSettings: { retryMaxAttempts: 0 }, // the keeper has pauses of its own
    timeout: ANSWER_MS,
    maxContentLength: ANSWER_BYTES,
    maxRedirects: 0,
    httpsAgent: new Agent(agent),
  });
  // the package doesn't say why it can't reach anybody
  await getText({ url: directory, tls: { caPath }, accept: "application/json", signal });
  const newKey = async () => String(await acme.crypto.createPrivateEcdsaKey());
  const accountKey = await store.accountKey(newKey);
  const client = new acme.Client({ directoryUrl: directory, accountKey });
  const [key, csr] = await acme.crypto.createCsr({ altNames: [host] }, await newKey());
  using answers = new DisposableStack();
  const issued = client.auto({
    csr,
    ...email === undefined ? {} : { email },
    termsOfServiceAgreed: true,
    skipChallengeVerification: true, // from here the host may look otherwise than from outside
    challengePriority: ["http-01"],
    challengeCreateFn: (_authorization, { type, token }, answer) => {
      if (signal.aborted) throw new Error("it took too long"); // nobody waits for it any more
      if (type !== "http-01") throw new Error(`the authority doesn't check ${host} by HTTP-01`);
      answers.use(challenges.add(token, answer));
      return Promise.resolve();
    },
    challengeRemoveFn: () => Promise.resolve(),
  });
  return { cert: await unlessAborted(issued, signal), key: String(key) };
}

/** What is promised, or what the signal says; what is under way then goes on by itself, within its limits. */
async function unlessAborted<T>(promised: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  using _signal = onAbort(signal, () => reject(new Error("it took too long")));
  return await Promise.race([promised, late]);
}
