import { type Release, releaseOnce } from '../domain/release.ts';
import { overloaded, queueLimits, Semaphore } from '../domain/semaphore.ts';

type Limits = {
  /** Requests that are worked on at once. */
  readonly inFlight: number;
  /** Bytes that all requests together may need in memory. */
  readonly heldBytes: number;
  readonly queueMs: number;
};

/** What one running generation needs beside its request: chunks of pictures on their way. */
const bytesInTransit = 1024 * 1024;

/** Keeps the process from taking on more than it can hold: what is too much is refused at the door, at once. */
export class Admission {
  #limits: Limits;
  readonly #turns: Semaphore;
  #requests = 0;
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#turns = new Semaphore(queueLimits(limits.inFlight, limits.queueMs));
  }

  /** Sets other limits, for whoever comes from now on; what was let in stays in, and counts. */
  resize(limits: Limits): void {
    this.#limits = limits;
    this.#turns.resize(queueLimits(limits.inFlight, limits.queueMs));
  }

  get heldBytes(): number {
    return this.#bytes;
  }

  /** How many requests wait for their turn. */
  get waiting(): number {
    return this.#turns.waiting;
  }

  /** Lets a request in, before its body is read. `bytes`: what of that will be in memory. Throws `overloaded`. */
  enter(bytes: number): Release {
    const needed = bytes + bytesInTransit;
    const isFull = this.#requests >= 3 * this.#limits.inFlight || this.#bytes + needed > this.#limits.heldBytes;
    if (isFull) throw overloaded(1_000);
    this.#requests += 1;
    this.#bytes += needed;
    return releaseOnce(() => {
      this.#requests -= 1;
      this.#bytes -= needed;
    });
  }

  /** Resolves when it is a request's turn. Rejects with `overloaded` and with the signal's reason. */
  turn(signal: AbortSignal): Promise<Release> {
    return this.#turns.acquire(signal);
  }
}
