import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { dataUrl, dataUrlLength } from '../codec/base64.ts';
import type { InputReader, InputReference } from '../domain/image-input.ts';
import type { PaidBody } from './paid-body.ts';

/** Gives what stands in a JSON value for the data URL of an image. */
export type Place = (image: InputReference) => string;

/**
 * A JSON body with images as data URLs. They are encoded while they are sent, anew for each sending, so that no more
 * than a piece of them is held.
 * @param build makes the JSON value
 * @param inputs has the bytes of the images; only read where the value has any
 */
export function jsonWithImages(build: (place: Place) => unknown, inputs: InputReader | undefined): PaidBody {
  const images: InputReference[] = [];
  const mark = randomUUID();
  const value = build((image) => `${mark}:${images.push(image) - 1};`);
  // Texts, and between them the numbers of images.
  const parts = JSON.stringify(value).split(new RegExp(`${mark}:(\\d+);`));
  const pieces = parts.map((part, at) => (at % 2 === 0 ? Buffer.from(part) : (images[Number(part)] as InputReference)));
  return {
    contentType: 'application/json',
    length: pieces.reduce((sum, piece) => sum + (Buffer.isBuffer(piece) ? piece.length : dataUrlLength(piece)), 0),
    open: () => Readable.from(content(), { objectMode: false }),
  };

  async function* content(): AsyncGenerator<Buffer> {
    for (const piece of pieces) {
      if (Buffer.isBuffer(piece)) yield piece;
      else if (inputs) yield* dataUrl(piece.type, inputs.open(piece));
    }
  }
}
