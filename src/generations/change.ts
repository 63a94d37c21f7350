/** Lets any number of waiters know that something has changed. */
export class Change {
  #waiting: PromiseWithResolvers<void> | undefined;

  /** Resolves at the next change. */
  next(): Promise<void> {
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  happened(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
