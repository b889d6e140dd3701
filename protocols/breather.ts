/** The runtime has it, its types haven't: to import it would load all of node's timers into each worker. */
declare function setImmediate(run: () => void): unknown;

/** Datagrams that one socket may take in a turn of the event loop. */
const MOST = 64;

/**
 * Lets others have their turn: a socket that always has something to read is read within one turn of the event loop,
 * for ever, and no timer or other socket gets to do anything.
 */
export class Breather {
  #left = MOST;

  /** One more datagram; true: others are to have their turn now. */
  due(): boolean {
    return --this.#left <= 0;
  }

  /** Resolves when they had. */
  take(): Promise<void> {
    this.#left = MOST;
    return new Promise((resolve) => void setImmediate(resolve));
  }
}
