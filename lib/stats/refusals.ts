import type { Refusals } from "../status.ts";
import type { Counters } from "./counters.ts";
import {
  BAD_CLIENT_CERTIFICATE,
  BAD_HELLO,
  BAD_PROXY_HEADER,
  DENIED,
  HANDSHAKE_FAILED,
  HANDSHAKE_TIMED_OUT,
  HELLO_TIMEOUT,
  NO_BACKEND,
  NO_ROUTE,
  OVER_CAPACITY,
  OVER_LIMIT,
  OVER_UNFINISHED,
  UNKNOWN_PROXY,
} from "./layout.ts";

/** Why a server has turned clients away so far. */
export function refusalsOf(counters: Counters, slot: number): Refusals {
  return {
    overCapacity: counters.sum(slot, OVER_CAPACITY),
    overLimit: counters.sum(slot, OVER_LIMIT),
    denied: counters.sum(slot, DENIED),
    noBackend: counters.sum(slot, NO_BACKEND),
    unknownProxy: counters.sum(slot, UNKNOWN_PROXY),
    badProxyHeader: counters.sum(slot, BAD_PROXY_HEADER),
    handshakeFailed: counters.sum(slot, HANDSHAKE_FAILED),
    handshakeTimedOut: counters.sum(slot, HANDSHAKE_TIMED_OUT),
    overUnfinished: counters.sum(slot, OVER_UNFINISHED),
    badClientCertificate: counters.sum(slot, BAD_CLIENT_CERTIFICATE),
    noRoute: counters.sum(slot, NO_ROUTE),
    badHello: counters.sum(slot, BAD_HELLO),
    helloTimeout: counters.sum(slot, HELLO_TIMEOUT),
  };
}
