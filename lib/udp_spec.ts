/** What a configuration says of a server of datagrams, and who forwards a server's packets. */

/** A server of datagrams. A session is what one client, an address and a port, exchanges with one backend. */
export type UdpSpec = {
  /** Longest silence of a session, in either direction, in milliseconds. Never 0: nothing else ends one for sure. */
  readonly idleMs: number;
  /** Datagrams of its client that a session forwards; the next one begins another session. 0 is no limit. */
  readonly maxRequests: number;
  /** Datagrams of its backend after which a session ends. 0 is no limit. */
  readonly maxResponses: number;
  /** Sessions at the same time, at least 1. */
  readonly maxSessions: number;
  /** What happens to a new client when there are so many: it is refused, or the session silent for longest ends. */
  readonly whenFull: "refuse" | "evict";
  /** What keeps a client on its backend: address and port, or the address, so that its ports stay together. */
  readonly key: "address" | "ip";
  /** Longest datagram that is forwarded, in bytes; longer ones are dropped. */
  readonly bufferBytes: number;
  /** The backend may answer from any of its ports, and gets there what its client sends next (as in TFTP). */
  readonly followPort: boolean;
  /** Requests in a row that a backend may leave unanswered, over all sessions, before it counts as failed; 0: any. */
  readonly maxUnanswered: number;
  /** For so long, at least, in milliseconds. */
  readonly answerMs: number;
};

/**
 * How the kernel forwards a server's packets: backends see this host's address (`masquerade`), or the client's own
 * (`transparent`), and then have to answer through this host.
 */
export type Forward = "masquerade" | "transparent";

/** Fire and forget: each datagram is balanced by itself, and nobody waits for answers. */
export function isOneWay({ maxRequests, maxResponses }: UdpSpec): boolean {
  return maxRequests === 1 && maxResponses === 0;
}
