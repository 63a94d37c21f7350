import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, GenerationReport, KeyedAs, Settlement } from '../domain/generation-reader.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { Delivery, ImageRequest } from '../domain/image-request.ts';
import { deliver, type Hosting, wantedBy } from './delivery.ts';
import type { Generation } from './generation.ts';
import { interruptionError, stillRunning } from './interruption.ts';
import type { KeptResponse } from './kept-response.ts';

/** What one reader reads, and how it wants it. */
export type Reading = {
  readonly request: Pick<ImageRequest, 'stream' | 'partialImages'>;
  /** `undefined`: it does not say. */
  readonly delivery: Delivery | undefined;
  readonly hosting: Hosting | undefined;
  readonly keyedAs: KeyedAs | undefined;
  /** How long it waits for the outcome, in milliseconds; `undefined`: for as long as the generation takes. */
  readonly patienceMs?: number;
  /** `undefined`: the events pass to this reader as they come. */
  readonly response: KeptResponse | undefined;
  /** How the images come to a reader that does not say. */
  readonly fallback: () => Delivery;
};

/** One reader: what it learns ends when it leaves, whatever becomes of the generation. */
export class AttachedReader implements GenerationReader {
  readonly #generation: Generation;
  readonly #reading: Reading;
  readonly #events: Promise<AsyncIterable<ImageEvent>>;
  readonly #left = Promise.withResolvers<never>();
  readonly #patience: NodeJS.Timeout | undefined;
  readonly signal: AbortSignal;
  #hasLeft = false;

  constructor(generation: Generation, outcome: Promise<AsyncIterable<ImageEvent>>, reading: Reading) {
    const { response, patienceMs } = reading;
    this.#generation = generation;
    this.#reading = reading;
    // A kept response outlives its generation, for readers that are slower than the upstream.
    this.signal = response === undefined ? generation.signal : AbortSignal.any([]);
    const own = outcome.then((events) =>
      response === undefined ? this.#pass(events) : deliver(response.read(), this.#wanted, this),
    );
    this.#events = Promise.race([own, this.#left.promise]);
    this.#events.catch(() => {});
    if (patienceMs === undefined) return;
    this.#patience = setTimeout(() => this.#leaveWith(stillRunning()), patienceMs);
    const stop = () => clearTimeout(this.#patience);
    own.then(stop, stop);
  }

  get report(): GenerationReport {
    const { report } = this.#generation;
    const { keyedAs, patienceMs: timeoutMs = report.timeoutMs } = this.#reading;
    return keyedAs === undefined ? report : { ...report, keyedAs, timeoutMs };
  }

  get events(): Promise<AsyncIterable<ImageEvent>> {
    const { state } = this.#generation;
    // It was ended before anybody has read its images.
    return 'error' in state && !this.#hasLeft ? Promise.reject(state.error) : this.#events;
  }

  /** Whether it reads the bytes of images, or of partial images. */
  wantsBytes(isPartial: boolean): boolean {
    return isPartial ? this.#wanted.withPartialImages : this.#wanted.links === undefined;
  }

  leave(): void {
    this.#leaveWith(interruptionError('client gone', { isOpen: true, isTried: true }));
  }

  cancel(why: 'shutdown'): void {
    this.#generation.cancel(why);
  }

  settle(how: Settlement, truncatedBy?: unknown): void {
    this.#generation.settleFor(this, how, truncatedBy);
  }

  get #wanted() {
    const { request, delivery, hosting, fallback } = this.#reading;
    return wantedBy(request, { delivery, fallback: fallback(), hosting });
  }

  #pass(events: AsyncIterable<ImageEvent>): AsyncIterable<ImageEvent> {
    return {
      [Symbol.asyncIterator]: () => {
        // What is kept since it has left goes to whoever joins in its place.
        if (this.#hasLeft) throw new GatewayError('client_gone', 'The caller has left.');
        return this.#generation.pass(events);
      },
    };
  }

  #leaveWith(error: GatewayError): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    clearTimeout(this.#patience);
    this.#left.reject(error);
    this.#generation.leave(this);
  }
}
