import type { ImageEvent } from '../domain/image-event.ts';
import { Change } from './change.ts';

/** Events in the order in which they come, for any number of readers, each from the first one on and at its own pace. */
export class EventLog {
  readonly #events: ImageEvent[] = [];
  readonly #change = new Change();
  #end: { readonly error?: unknown } | undefined;

  add(event: ImageEvent): void {
    this.#events.push(event);
    this.#change.happened();
  }

  end(): void {
    this.#end ??= {};
    this.#change.happened();
  }

  /** Readers get what is there already, and then the error. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#change.happened();
  }

  read(): AsyncIterableIterator<ImageEvent> {
    let at = 0;
    return {
      next: async () => {
        for (;;) {
          const event = this.#events[at];
          if (event !== undefined) {
            at += 1;
            return { value: event, done: false };
          }
          if (this.#end !== undefined) {
            if ('error' in this.#end) throw this.#end.error;
            return { value: undefined, done: true };
          }
          await this.#change.next();
        }
      },
      return: async () => ({ value: undefined, done: true }),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
