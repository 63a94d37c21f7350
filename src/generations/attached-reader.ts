import type { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, GenerationReport, Settlement } from '../domain/generation-reader.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { Generation } from './generation.ts';
import { interruptionError } from './interruption.ts';

/** One reader: what it learns ends when it leaves, whatever becomes of the generation. */
export class AttachedReader implements GenerationReader {
  readonly #generation: Generation;
  readonly signal: AbortSignal;
  readonly #events: Promise<AsyncIterable<ImageEvent>>;
  readonly #left = Promise.withResolvers<never>();
  hasLeft = false;
  /** It reads the images. */
  hasBegun = false;

  constructor(generation: Generation, outcome: Promise<AsyncIterable<ImageEvent>>) {
    this.#generation = generation;
    this.signal = generation.signal;
    const own = outcome.then((events) => ({
      [Symbol.asyncIterator]: () => {
        // Whoever joins in its place reads them.
        if (this.hasLeft) throw clientGone();
        this.hasBegun = true;
        return generation.read(events);
      },
    }));
    this.#events = Promise.race([own, this.#left.promise]);
    this.#events.catch(() => {});
  }

  get report(): GenerationReport {
    return this.#generation.report;
  }

  get events(): Promise<AsyncIterable<ImageEvent>> {
    const { state } = this.#generation;
    // It was ended before anybody has read its images.
    return 'error' in state ? Promise.reject(state.error) : this.#events;
  }

  leave(): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.#generation.leave(this);
    this.#left.reject(clientGone());
  }

  cancel(why: 'shutdown'): void {
    this.#generation.cancel(why);
  }

  settle(how: Settlement, truncatedBy?: unknown): void {
    this.#generation.settleFor(this, how, truncatedBy);
  }
}

function clientGone(): GatewayError {
  return interruptionError('client gone', { isOpen: true, isTried: true });
}
