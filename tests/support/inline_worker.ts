import { strategies } from "../../lib/balance/registry.ts";
import type { FromWorker, ToWorker } from "../../lib/messages.ts";
import type { WorkerLike } from "../../lib/workers.ts";
import { DataPlane } from "../../protocols/data_plane.ts";

/** A worker that runs in the test's own isolate: the same data plane behind the same messages. */
export class InlineWorker implements WorkerLike {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  #plane: DataPlane | undefined;

  postMessage(data: unknown): void {
    queueMicrotask(() => this.#handle(typeof data === "string" ? JSON.parse(data) : data));
  }

  terminate(): void {
    this.#plane?.[Symbol.dispose]();
    this.#plane = undefined;
  }

  #handle(message: ToWorker): void {
    if (message.kind !== "setup") return this.#plane?.handle(message);
    const post = (answer: FromWorker) =>
      queueMicrotask(() => this.onmessage?.(new MessageEvent("message", { data: answer })));
    this.#plane = new DataPlane(message.setup, strategies, post);
    post({ kind: "ready" });
  }
}
