/**
 * The entry of a data-plane worker. It has permission to use the network and nothing else.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { strategies } from "../lib/balance/registry.ts";
import type { FromWorker, ToWorker } from "../lib/messages.ts";
import { DataPlane } from "./data_plane.ts";

declare const self: DedicatedWorkerGlobalScope;

let plane: DataPlane | undefined; // the worker is this object; it can't exist before its first message

self.onmessage = ({ data }: MessageEvent<ToWorker | string>) => {
  const message: ToWorker = typeof data === "string" ? JSON.parse(data) : data;
  if (message.kind !== "setup") return plane?.handle(message);
  const post = (answer: FromWorker) => self.postMessage(answer);
  plane = new DataPlane(message.setup, strategies, post);
  post({ kind: "ready" });
};
