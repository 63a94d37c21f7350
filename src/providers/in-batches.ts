/**
 * What `take` makes of items that have arrived together, handed on batch by batch: what breaks a batch is found before any
 * of it is handed on, so that what fails a short response is an ordinary error.
 */
export function* inBatches<Item, Result>(
  items: readonly Item[],
  take: (item: Item) => Iterable<Result>,
  endsBatch: (item: Item) => boolean,
): Generator<Result> {
  let batch: Result[] = [];
  for (const item of items) {
    for (const result of take(item)) batch.push(result);
    if (!endsBatch(item)) continue;
    yield* batch;
    batch = [];
  }
  yield* batch;
}
