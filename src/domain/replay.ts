/** Items that were looked at already, followed by the rest of where they came from; closes that when its reader stops. */
export async function* replay<T>(seen: readonly T[], rest: AsyncIterator<T>): AsyncGenerator<T> {
  try {
    yield* seen;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
