/** Items that were looked at already, followed by the rest of where they came from; closes that when its reader stops. */
export function replay<T>(seen: readonly T[], rest: AsyncIterator<T>): AsyncIterable<T> & AsyncIterator<T> {
  const head = seen[Symbol.iterator]();
  // No generator: every piece of every image passes here, and each one would cost it several turns more.
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
