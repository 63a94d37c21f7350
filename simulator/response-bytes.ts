import { randomUUID } from 'node:crypto';
import type { Image } from './draw-image.ts';

/** The bytes of a response. They are made while they are sent, so that a large image is never held twice. */
export type ResponseBytes = { readonly byteLength: number; pieces(): Iterable<Buffer> };

/** Stands in a JSON value where an image's base64 belongs; the nth one is the nth image. */
export const imageMarker = `image-${randomUUID()}`;

/** How the JSON text is written: as Azure does, or as valid but uncommon JSON. */
type Spelling = 'compact' | 'escaped';

function base64Length(image: Image): number {
  return Math.ceil(image.byteLength / 3) * 4;
}

/** Encodes piece by piece; a rest of one or two bytes waits for the next piece, as base64 counts in threes. */
function* base64Pieces(image: Image): Iterable<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for (const piece of image.pieces) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    const whole = bytes.length - (bytes.length % 3);
    yield Buffer.from(bytes.toString('base64', 0, whole), 'latin1');
    rest = bytes.subarray(whole);
  }
  if (rest.length > 0) yield Buffer.from(rest.toString('base64'), 'latin1');
}

function* weave(texts: readonly Buffer[], images: readonly Image[]): Iterable<Buffer> {
  for (const [position, text] of texts.entries()) {
    yield text;
    const image = images[position];
    if (image !== undefined && position < texts.length - 1) yield* base64Pieces(image);
  }
}

/** Writes a JSON value whose {@link imageMarker}s become the images. */
export function jsonBody(value: unknown, images: readonly Image[], spelling: Spelling = 'compact'): ResponseBytes {
  const texts = JSON.stringify(value)
    .split(imageMarker)
    .map((text) => Buffer.from(text));
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  const byteLength = images.slice(0, texts.length - 1).reduce((sum, image) => sum + base64Length(image), length);
  const body: ResponseBytes = { byteLength, pieces: () => weave(texts, images) };
  return spelling === 'compact' ? body : escapedBody(body);
}

/** The same JSON value with `\/`, some `\u002b` and `\u0026`, reversed member order and much whitespace. */
function escapedBody(body: ResponseBytes): ResponseBytes {
  const value: unknown = JSON.parse(joinBody(body).toString());
  let plusSigns = 0;
  const text = JSON.stringify(reverseMembers(value), null, '\t ')
    .replaceAll('/', '\\/')
    .replaceAll('&', '\\u0026')
    .replaceAll('+', () => (plusSigns++ % 3 === 0 ? '\\u002b' : '+'));
  return bytesBody(Buffer.from(`\r\n ${text}\n\n`));
}

function reverseMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseMembers);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, reverseMembers(member)] as const);
  return Object.fromEntries(members.toReversed());
}

/** Bodies one after the other. */
export function bodySequence(...bodies: readonly ResponseBytes[]): ResponseBytes {
  return {
    byteLength: bodies.reduce((sum, body) => sum + body.byteLength, 0),
    *pieces() {
      for (const body of bodies) yield* body.pieces();
    },
  };
}

/** A body of bytes that exist already. */
export function bytesBody(...pieces: readonly Buffer[]): ResponseBytes {
  return { byteLength: pieces.reduce((sum, piece) => sum + piece.length, 0), pieces: () => pieces };
}

/** All bytes of a body in one buffer. */
export function joinBody(body: ResponseBytes): Buffer {
  return Buffer.concat([...body.pieces()]);
}
