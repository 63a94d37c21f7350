import type { ImageEnd, ImageEvent } from '../../src/domain/image-event.ts';
import { KeptImage } from '../../src/generations/kept-image.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';

export const kibibyte = 1024;
const retrying = { signal: new AbortController().signal, until: 0 };

/** An image that is being kept, with so many readers that have to get it. */
export function keep({ readers = [] as object[], mustBeStored = false, store = new MemoryImageStore() } = {}) {
  const file = store.receive('image', { isKept: true });
  const image = new KeptImage({
    file,
    writeBytes: () => store.writeBytes,
    mustBeStored: mustBeStored ? retrying : undefined,
    readers: () => readers,
  });
  return { store, file, image, readers };
}

export const textOf = (bytes: Buffer) => Buffer.from(bytes.toString('base64'));

/** The events of an image in two pieces. @param end what its end tells */
export function imageEvents(index: number, text: string, isPartial = false, end: Partial<ImageEnd> = {}): ImageEvent[] {
  const base64 = Buffer.from(text).toString('base64');
  return [
    { type: 'image', index, isPartial },
    { type: 'bytes', chunk: Buffer.from(base64.slice(0, 3)) },
    { type: 'bytes', chunk: Buffer.from(base64.slice(3)) },
    { ...end, type: 'image-end', index },
  ];
}

/** A text in pieces of one length. */
export function pieces(text: Buffer, length: number): Buffer[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, index) =>
    text.subarray(index * length, (index + 1) * length),
  );
}

export async function readAll(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

export async function write(image: KeptImage, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) await image.write(chunk);
}

/** Whether a promise is still pending after everything that can happen by itself has happened. */
export async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  let isPending = true;
  const settle = () => {
    isPending = false;
  };
  promise.then(settle, settle);
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  return isPending;
}
