/** What a session needs of either of its connections: a TCP connection has it all, one that speaks TLS not the options. */
export type Link = {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  /** Fills the buffer as far as there are bytes; null after the peer's FIN. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Gives how many bytes were taken, at least one. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends the FIN. */
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on?: boolean): void;
  setKeepAlive?(on?: boolean): void;
};
