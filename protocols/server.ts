import type { ServerTable } from "../lib/model.ts";

/** A server of one worker: its socket, and what it does with clients. */
export type Server = {
  /** What it does now. */
  readonly table: ServerTable;
  /** Can it use this table without another socket? */
  suits(table: ServerTable): boolean;
  /** Uses a new table, which it suits, from the next client on. */
  update(table: ServerTable): void;
  /** Takes no new clients as soon as nobody who has come already would be lost; resolves then. */
  finish(): Promise<void>;
  /** Closes its socket, at once. Safe to call again. */
  stop(): void;
};
