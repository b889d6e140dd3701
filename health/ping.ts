import type { CheckKind } from "../lib/kinds.ts";
import { dial } from "../lib/net/dial.ts";
import { isOurs, whatHappened } from "../lib/net/errors.ts";

/** Passes when the backend accepts a TCP connection, which is closed again at once. */
export const ping: CheckKind<Record<string, never>> = {
  name: "ping",
  summary: "Passes when the backend accepts a TCP connection.",
  shape: {},
  async check(target, _options, { signal }) {
    try {
      const conn = await dial(target.address, target.port, signal);
      conn.close();
      return { passed: true, text: "connected" };
    } catch (error) {
      return { passed: false, text: whatHappened(error), ours: isOurs(error) };
    }
  },
};
