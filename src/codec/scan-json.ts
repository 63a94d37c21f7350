import { JsonScanner, type JsonShape, type ScanToken } from './json-scanner.ts';

/**
 * The tokens of a JSON body while it arrives, a list for each chunk. Ends with the outermost value, even if the body does
 * not: the images are complete then, however their connection ends. Throws MalformedJsonError, and whatever the body
 * throws before.
 */
export async function* scanJson(body: AsyncIterable<Buffer>, shape: JsonShape): AsyncGenerator<readonly ScanToken[]> {
  const scanner = new JsonScanner(shape);
  for await (const chunk of body) {
    yield scanner.push(chunk);
    if (scanner.isComplete) return;
  }
  yield scanner.end();
}

/**
 * The tokens of a JSON body to its very end: after the outermost value nothing but blanks may come. Throws
 * MalformedJsonError, and whatever the body throws. @param keptBytes the longest value that is kept
 */
export async function* scanWholeJson(
  body: AsyncIterable<Buffer>,
  shape: JsonShape,
  keptBytes: number,
): AsyncGenerator<ScanToken> {
  const scanner = new JsonScanner(shape, { keptBytes, isStrict: true });
  // Not `yield*`, which waits for each token of a list that is already there.
  for await (const chunk of body) for (const token of scanner.push(chunk)) yield token;
  yield* scanner.end();
}
