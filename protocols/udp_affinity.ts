import type { Member } from "../lib/model.ts";

type Usual = { member: Member; sessions: number };

/** Which backend an address is with, while one of its ports has a session. */
export class Affinity {
  readonly #byIp = new Map<string, Usual>();

  /** The backend of an address that has sessions. */
  get(ip: string): Member | undefined {
    return this.#byIp.get(ip)?.member;
  }

  /** A session of that address has begun, with this backend. */
  add(ip: string, member: Member): void {
    const usual = this.#byIp.get(ip);
    if (usual === undefined) this.#byIp.set(ip, { member, sessions: 1 });
    else {
      usual.member = member;
      usual.sessions++;
    }
  }

  /** A session of that address has ended. */
  remove(ip: string): void {
    const usual = this.#byIp.get(ip);
    if (usual !== undefined && --usual.sessions <= 0) this.#byIp.delete(ip);
  }
}
