import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../../src/domain/gateway-error.ts';
import type { InputStore } from '../../../src/domain/image-input.ts';
import { SpooledBody } from '../../../src/http/uploads/spooled-body.ts';
import { createTemporaryInputStores } from '../../../src/storage/temporary-input-store.ts';
import { openFiles, temporaryDirectory } from '../../end-to-end/edits.ts';

async function spool(chunks: readonly Buffer[]) {
  const directory = await temporaryDirectory();
  const store = createTemporaryInputStores(directory)('shop');
  onTestFinished(() => store.release());
  const body = Readable.from(chunks, { objectMode: true });
  return { directory, store, body, spooled: new SpooledBody(body.iterator({ destroyOnReturn: false }), store) };
}

const chunksOf = (count: number, size: number) => Array.from({ length: count }, () => randomBytes(size));

test.each([
  ['nothing', 0],
  ['one chunk', 1],
  ['some chunks', 3],
  ['everything', 5],
])('after %s was read, the body is replayed whole', async (_, count) => {
  const chunks = chunksOf(5, 100);
  const { spooled } = await spool(chunks);
  const reading = spooled.read();
  for (let index = 0; index < count; index += 1) expect((await reading.next()).value).toEqual(chunks[index]);
  expect(Buffer.concat(await Array.fromAsync(spooled.replay()))).toEqual(Buffer.concat(chunks));
});

test('more than a megabyte waits in a file', async () => {
  const chunks = chunksOf(40, 64 * 1024);
  const { spooled, directory, store } = await spool(chunks);
  const reading = spooled.read();
  for (let index = 0; index < 39; index += 1) await reading.next();
  expect(await openFiles(directory)).toHaveLength(1);
  expect(Buffer.concat(await Array.fromAsync(spooled.replay())).equals(Buffer.concat(chunks))).toBe(true);
  await store.release();
  expect(await openFiles(directory)).toEqual([]);
});

test('a store that fails ends the reading, and leaves the body open', async () => {
  const failure = new GatewayError('storage_failed', 'The disk is full.');
  const store = {
    put: async (bytes: AsyncIterable<Buffer>) => {
      for await (const _ of bytes) throw failure;
    },
  } as unknown as InputStore;
  const body = Readable.from(chunksOf(3, 10), { objectMode: true });
  const spooled = new SpooledBody(body.iterator({ destroyOnReturn: false }), store);
  await expect(Array.fromAsync(spooled.read())).rejects.toBe(failure);
  expect(body.destroyed).toBe(false);
});
