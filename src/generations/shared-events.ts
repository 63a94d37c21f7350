/**
 * One source of items for several readers: each item goes to all of them before the next one is asked for, so that nothing
 * is held for the slowest. A reader that returns is waited for no longer; the last one closes the source.
 */
export class SharedEvents<T> {
  readonly #source: AsyncIterator<T>;
  readonly #waiting = new Map<object, PromiseWithResolvers<IteratorResult<T>>>();
  #readers: number;

  constructor(source: AsyncIterable<T>, readers: number) {
    this.#source = source[Symbol.asyncIterator]();
    this.#readers = readers;
  }

  /** For one of the readers; called once for each of them. */
  read(): AsyncIterator<T> {
    const reader = {};
    let isDone = false;
    return {
      next: () => {
        const waiting = Promise.withResolvers<IteratorResult<T>>();
        this.#waiting.set(reader, waiting);
        this.#pullForAll();
        return waiting.promise;
      },
      return: async () => {
        if (!isDone) {
          isDone = true;
          this.#waiting.delete(reader);
          await this.drop();
        }
        return { value: undefined, done: true };
      },
    };
  }

  /** A reader is gone. */
  async drop(): Promise<void> {
    this.#readers -= 1;
    if (this.#readers === 0) await this.#source.return?.();
    else this.#pullForAll();
  }

  #pullForAll(): void {
    if (this.#waiting.size < this.#readers) return;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#source.next().then(
      (result) => {
        for (const { resolve } of waiting) resolve(result);
      },
      (error) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }
}
