import type { Election } from "./pools.ts";
import { dial } from "../lib/net/dial.ts";
import { classifyDial, isOurs, whatHappened } from "../lib/net/errors.ts";
import { DIAL_TIMEOUTS, REFUSED, RETRIES, TOTAL } from "../lib/stats/layout.ts";
import { headerVersion, sendProxyHeader } from "./introduce.ts";
import type { Session } from "./session.ts";

/** How a dial ended: with a connection, with a backend's failure, or for a reason of our own. */
type Outcome = "connected" | "failed" | "ours" | "closed";

/**
 * Leases a backend for the session and dials it; one that fails is followed by another, as long as the
 * server's attempts and time allow. True: `session.upstream` is open and `session.member` counted, which
 * the session gives back when it closes. False: nobody could be had; the caller closes the session.
 */
export async function connect(session: Session, election: Election): Promise<boolean> {
  const { context, server, tried } = session;
  const { dialAttempts } = server.limits;
  while (tried.length < dialAttempts) {
    const leftMs = server.limits.dialBudgetMs - (context.ticker.now - session.dialSince);
    if (leftMs <= 0) return false;
    const electorate = election();
    if (electorate === undefined) return false;
    const member = electorate.lease(electorate.keyed ? session.key() : 0, tried);
    if (member === undefined) return false;
    if (tried.length > 0) context.counters.add(server.slot, RETRIES);
    session.member = member;
    const outcome = await dialMember(session, Math.min(leftMs, server.limits.dialMs));
    if (outcome === "connected") return true;
    if (outcome === "closed") return false; // closing has given the lease back
    release(session);
    if (outcome === "ours") return false;
    tried.push(member.slot);
  }
  return false;
}

async function dialMember(session: Session, limitMs: number): Promise<Outcome> {
  const { context } = session;
  const member = session.member!;
  try {
    const deadline = context.ticker.deadline(limitMs);
    const conn = await dial(member.address, member.port, deadline);
    if (session.closed) {
      conn.close();
      return "closed";
    }
    session.upstream = conn;
    const { backendsTls: tls } = session.server;
    const version = headerVersion(session);
    if (version !== 0) await sendProxyHeader(session, version);
    if (tls !== undefined) {
      const { speakTls, verified } = await import("./backend_tls.ts");
      const link = session.upstream = speakTls(conn, member, tls, context.buffers);
      await verified(link, deadline);
    }
    context.counters.add(member.slot, TOTAL);
    session.connected = true;
    return session.closed ? "closed" : "connected";
  } catch (error) {
    if (session.closed) return "closed";
    session.upstream?.close();
    session.upstream = undefined;
    return dialFailed(session, error);
  }
}

function dialFailed(session: Session, error: unknown): Outcome {
  const { context, server } = session;
  const member = session.member!;
  const ours = isOurs(error);
  if (!ours) context.counters.add(member.slot, REFUSED);
  if (classifyDial(error) === "timeout") context.counters.add(member.slot, DIAL_TIMEOUTS);
  context.log(ours ? "error" : "warning", "can't connect to a backend", {
    server: server.name,
    backend: `${member.address}:${member.port}`,
    why: whatHappened(error),
  });
  return ours ? "ours" : "failed";
}

/** Gives back the claim on the backend that failed. */
function release(session: Session): void {
  if (session.member !== undefined) session.context.counters.release(session.member.slot);
  session.member = undefined;
}

/**
 * Replaces a backend that reset the connection before any byte had passed. Whoever notices it first
 * starts it, the session's other direction waits for the same answer. False: the session is closed.
 */
export function reconnect(session: Session, election: Election): Promise<boolean> {
  session.redial ??= replace(session, election).finally(() => session.redial = undefined);
  return session.redial;
}

async function replace(session: Session, election: Election): Promise<boolean> {
  if (session.member !== undefined) session.tried.push(session.member.slot);
  session.upstream?.close();
  session.upstream = undefined;
  session.connected = false;
  release(session);
  const replaced = await connect(session, election);
  if (!replaced) session.close(); // before anybody can see a session without a backend
  return replaced;
}
