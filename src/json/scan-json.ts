import { JsonScanner, type JsonShape, type ScanToken } from './json-scanner.ts';

/**
 * The tokens of a JSON body while it arrives. Ends with the outermost value, even if the body does not: the pictures are
 * complete then, however their connection ends. Throws MalformedJsonError, and whatever the body throws before.
 */
export async function* scanJson(
  body: AsyncIterable<Buffer>,
  shape: JsonShape,
  keptBytes?: number,
): AsyncGenerator<ScanToken> {
  const scanner = new JsonScanner(shape, keptBytes);
  for await (const chunk of body) {
    yield* scanner.push(chunk);
    if (scanner.isComplete) return;
  }
  yield* scanner.end();
}
