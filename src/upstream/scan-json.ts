import { JsonScanner, type JsonShape, type ScanToken } from './json-scanner.ts';

/** The tokens of a JSON body while it arrives. Throws MalformedJsonError, and whatever the body throws. */
export async function* scanJson(body: AsyncIterable<Buffer>, shape: JsonShape): AsyncGenerator<ScanToken> {
  const scanner = new JsonScanner(shape);
  for await (const chunk of body) yield* scanner.push(chunk);
  yield* scanner.end();
}
