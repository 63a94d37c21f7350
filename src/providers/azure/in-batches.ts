/**
 * What `take` makes of items that have arrived together, handed on batch by batch: what breaks a batch is found before any
 * of it is handed on, so that what fails a short response is an ordinary error.
 * @param endsBatch of an item, or of one of its results
 */
export function* inBatches<Item, Result>(
  items: readonly Item[],
  take: (item: Item) => Iterable<Result>,
  endsBatch: (one: Item | Result) => boolean,
): Generator<Result> {
  let batch: Result[] = [];
  for (const item of items) {
    for (const result of take(item)) {
      batch.push(result);
      if (!endsBatch(result)) continue;
      yield* batch;
      batch = [];
    }
    if (!endsBatch(item)) continue;
    yield* batch;
    batch = [];
  }
  yield* batch;
}
