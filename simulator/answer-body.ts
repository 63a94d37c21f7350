import { randomUUID } from 'node:crypto';
import type { Picture } from './draw-picture.ts';

/** The bytes of an answer. They are made while they are sent, so that a large picture is never held twice. */
export type AnswerBody = { readonly byteLength: number; pieces(): Iterable<Buffer> };

/** Stands in a JSON value where a picture's base64 belongs; the nth one is the nth picture. */
export const pictureMarker = `picture-${randomUUID()}`;

/** How the JSON text is written: as Azure does, or as legal but unusual JSON. */
export type Spelling = 'usual' | 'escaped';

function base64Length(picture: Picture): number {
  return Math.ceil(picture.byteLength / 3) * 4;
}

/** Encodes piece by piece; a rest of one or two bytes waits for the next piece, as base64 counts in threes. */
function* base64Pieces(picture: Picture): Iterable<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for (const piece of picture.pieces) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    const whole = bytes.length - (bytes.length % 3);
    yield Buffer.from(bytes.toString('base64', 0, whole), 'latin1');
    rest = bytes.subarray(whole);
  }
  if (rest.length > 0) yield Buffer.from(rest.toString('base64'), 'latin1');
}

function* weave(texts: readonly Buffer[], pictures: readonly Picture[]): Iterable<Buffer> {
  for (const [position, text] of texts.entries()) {
    yield text;
    const picture = pictures[position];
    if (picture !== undefined && position < texts.length - 1) yield* base64Pieces(picture);
  }
}

/** Writes a JSON value whose {@link pictureMarker}s become the pictures. */
export function jsonBody(value: unknown, pictures: readonly Picture[], spelling: Spelling = 'usual'): AnswerBody {
  const texts = JSON.stringify(value)
    .split(pictureMarker)
    .map((text) => Buffer.from(text));
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  const byteLength = pictures.slice(0, texts.length - 1).reduce((sum, picture) => sum + base64Length(picture), length);
  const body: AnswerBody = { byteLength, pieces: () => weave(texts, pictures) };
  return spelling === 'usual' ? body : escapedBody(body);
}

/** The same JSON value with `\/`, some `\u002b` and `\u0026`, reversed member order and much whitespace. */
function escapedBody(body: AnswerBody): AnswerBody {
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
export function bodySequence(...bodies: readonly AnswerBody[]): AnswerBody {
  return {
    byteLength: bodies.reduce((sum, body) => sum + body.byteLength, 0),
    *pieces() {
      for (const body of bodies) yield* body.pieces();
    },
  };
}

/** A body of bytes that exist already. */
export function bytesBody(...pieces: readonly Buffer[]): AnswerBody {
  return { byteLength: pieces.reduce((sum, piece) => sum + piece.length, 0), pieces: () => pieces };
}

/** All bytes of a body in one buffer. */
export function joinBody(body: AnswerBody): Buffer {
  return Buffer.concat([...body.pieces()]);
}
