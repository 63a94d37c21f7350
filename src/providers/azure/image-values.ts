import { Base64Check } from '../../codec/base64.ts';
import { imageHeaderCharacters, imageMediaType } from '../../codec/image-header.ts';
import type { ImageFacts, ImageUsage } from '../../domain/image-event.ts';
import type { Recorder } from '../../domain/recorder.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import { hasContent } from './json-values.ts';

/** Checks the base64 of an image while it passes: what is not base64 would break the JSON that it is written into. */
export class ImageCheck {
  readonly #base64 = new Base64Check();
  #header: Buffer = Buffer.alloc(0);

  /** Throws `upstream_invalid_response` as soon as this can be no image. To be called before the chunk is handed on. */
  add(chunk: Buffer): void {
    if (!this.#base64.add(chunk)) throw invalidResponse('an image is not base64');
    if (this.#header.length >= imageHeaderCharacters) return;
    this.#header = Buffer.concat([this.#header, chunk.subarray(0, imageHeaderCharacters)]);
    if (this.#header.length >= imageHeaderCharacters) this.#judgeHeader();
  }

  /** To be called at the end of the image. Throws `upstream_invalid_response` when it cannot end here. */
  judge(): void {
    if (this.#header.length < imageHeaderCharacters) this.#judgeHeader();
    if (!this.#base64.isComplete) throw invalidResponse('the base64 of an image is cut, or not padded as it must be');
  }

  #judgeHeader(): void {
    const bytes = Buffer.from(this.#header.toString('latin1', 0, imageHeaderCharacters), 'base64');
    if (imageMediaType(bytes) === undefined) throw invalidResponse('the bytes are not an image');
  }
}

/** White space and control characters are in no URL, and a parser of URLs would leave some of them out. */
const webLink = /^https?:\/\/[^\s\p{Cc}]+$/iu;

/**
 * The link to an image in a member of an upstream's response; `undefined` when the member is empty. Throws
 * `upstream_invalid_response` for what a caller must not follow: other schemes (`javascript:`, `file:`, `data:`), and
 * credentials, with which `fetch` refuses a URL.
 */
export function imageLink(member: unknown): string | undefined {
  const link = typeof member === 'string' ? member.trim() : '';
  if (link === '') return undefined;
  const url = webLink.test(link) ? URL.parse(link) : null;
  if (url === null || url.username !== '' || url.password !== '') throw invalidResponse('a link is not of the web');
  return link;
}

export type ResponseSummary = {
  readonly created?: number;
  readonly usage?: ImageUsage;
  readonly facts?: ImageFacts;
};

/**
 * What a response or an event says beside its images, by its wire names; empty values and values of an unexpected type are
 * left out. Usage that is not whole numbers is told to `recorder`.
 */
export function responseSummary(members: Readonly<Record<string, unknown>>, recorder?: Recorder): ResponseSummary {
  const { created } = members;
  let isOdd = false;
  const usage = wholeUsage(members.usage, () => {
    isOdd = true;
  });
  if (isOdd) recorder?.anomaly('usage_not_whole');
  const facts: Record<string, string> = {};
  for (const [name, wireName] of factNames) {
    const value = members[wireName];
    if (typeof value === 'string' && value !== '') facts[name] = value;
  }
  return {
    ...(typeof created === 'number' && Number.isSafeInteger(created) && created > 0 && { created }),
    ...(usage && { usage }),
    ...(Object.keys(facts).length > 0 && { facts }),
  };
}

const factNames: readonly [keyof ImageFacts, string][] = [
  ['size', 'size'],
  ['quality', 'quality'],
  ['background', 'background'],
  ['outputFormat', 'output_format'],
];

/**
 * The token counts in an upstream's `usage`: its members that are whole numbers, also those of objects in it; `undefined`
 * where there are none. Whatever else it says is left out, and `noteOther` is called.
 */
function wholeUsage(usage: unknown, noteOther: () => void): ImageUsage | undefined {
  if (typeof usage !== 'object' || usage === null || Array.isArray(usage)) {
    if (hasContent(usage)) noteOther();
    return undefined;
  }
  const counts: [string, unknown][] = [];
  for (const [name, value] of Object.entries(usage)) {
    const isCount = Number.isSafeInteger(value) && value >= 0;
    const count = isCount ? value : wholeUsage(value, noteOther);
    if (count !== undefined) counts.push([name, count]);
  }
  return counts.length === 0 ? undefined : Object.fromEntries(counts);
}
