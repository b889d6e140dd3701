import { z } from "zod";
import type { Inner } from "./schema_listener.ts";
import { duration, flag, whole } from "./values.ts";

/** `[servers.NAME.udp]`, and what the API shows for its keys that weren't given. */
export const udp: Inner = {
  section: {
    at: "servers.*.udp",
    summary:
      'Of a server with `protocol = "udp"`: a session is what one client, an address and a port, exchanges with ' +
      "one backend. It ends when it has been silent for `client_idle_timeout` or `backend_idle_timeout`, in both directions, " +
      "which is a minute where neither is given, 10 seconds with `max_responses`. More in [udp.md](udp.md).",
    keys: {
      max_requests: whole(
        "Datagrams of a client after which the next one is balanced anew; 0 is no limit. With 1, and max_responses 0, " +
          "nobody waits for answers: fire and forget.",
        0,
      ).default(0),
      max_responses: whole(
        "Datagrams of a backend after which a session ends, when its client waits for no other; 0 is no limit. With 1, and max_requests 1, each datagram is balanced by itself and answered.",
        0,
      ).default(0),
      transparent: flag(
        "Backends see the client's own address: the kernel forwards, as with `forward`, and backends must answer through this host.",
      ).default(false),
      max_sessions: whole("Sessions at the same time; max_connections holds as well.", 1)
        .default(4096),
      when_full: z.enum(["refuse", "evict"]).describe(
        "What happens when there are so many: a new client is refused, or the session that has been silent for longest ends.",
      ).default("refuse"),
      key: z.enum(["address", "ip"]).describe(
        "Who stays on one backend: an address with a port, or an address, whose ports stay together while one of them has a session.",
      ).default("address"),
      buffer_size: z.int().min(512).max(65_507).meta({
        form: "bytes, 512 to 65507",
      }).describe("Longest datagram in bytes; longer ones are dropped and counted.").default(
        16_384,
      ),
      follow_port: flag(
        "Backends may answer from any of their ports, and get there what the client sends next, as TFTP needs it.",
      ).default(false),
      max_unanswered: whole(
        "Datagrams in a row that a backend may leave unanswered, over all clients, before it counts as failed; 0 is any number. Where no backend ever answers, nobody fails.",
        0,
      ).default(5),
      answer_timeout: duration(
        "For so long, at least; a backend that has failed gets new clients again after twice as long.",
        1,
      ).default(5_000),
    },
    sections: [],
  },
  shown: { max_requests: 0, max_responses: 0, transparent: false },
};

/** `[servers.NAME.udp]`. */
export type UdpKeys = {
  readonly max_requests: number;
  readonly max_responses: number;
  readonly transparent: boolean;
  readonly max_sessions: number;
  readonly when_full: "refuse" | "evict";
  readonly key: "address" | "ip";
  readonly buffer_size: number;
  readonly follow_port: boolean;
  readonly max_unanswered: number;
  readonly answer_timeout: number;
};
