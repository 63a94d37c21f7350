/** The items that were read ahead, followed by the rest of their source, which is closed when its reader stops. */
export function replay<T>(seen: readonly T[], rest: AsyncIterator<T>): AsyncIterable<T> & AsyncIterator<T> {
  const head = seen[Symbol.iterator]();
  // Not a generator: every piece of every image passes here, and each one would cost several microtasks more.
  return {
    async next() {
      const known = head.next();
      return known.done ? rest.next() : known;
    },
    async return(value) {
      await rest.return?.();
      return { value, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
