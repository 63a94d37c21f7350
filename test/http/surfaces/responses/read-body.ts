import { Readable } from 'node:stream';
import { expect, onTestFinished } from 'vitest';
import type { ImageDownload } from '../../../../src/domain/image-download.ts';
import { type ResponsesBody, readResponsesBody } from '../../../../src/http/surfaces/responses/read-responses-body.ts';
import { createTemporaryInputStores } from '../../../../src/storage/temporary-input-store.ts';
import { temporaryDirectory } from '../../../end-to-end/edits.ts';

type Reading = { readonly download?: ImageDownload; readonly isElsewhere?: (model: string) => boolean };

/** Reads a body that comes in these chunks; what it stores is released with the test. */
export async function readChunks(chunks: readonly Buffer[], { download, isElsewhere }: Reading = {}) {
  const inputs = createTemporaryInputStores(await temporaryDirectory())('shop');
  onTestFinished(() => inputs.release());
  const body = Readable.from(chunks, { objectMode: true });
  const { signal } = new AbortController();
  const read = readResponsesBody(body.iterator({ destroyOnReturn: false }), {
    inputs,
    download,
    signal,
    linkBytes: 200_000_000,
    ...(isElsewhere && { isElsewhere }),
  });
  return { body, inputs, read };
}

/** Reads a whole text, or a value as JSON. */
export async function readBody(body: unknown, reading: Reading = {}): Promise<ResponsesBody> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const read = await (await readChunks([Buffer.from(text)], reading)).read;
  expect(read).not.toBe('elsewhere');
  return read as ResponsesBody;
}
