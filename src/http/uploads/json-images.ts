import type { JsonShape, ScanToken } from '../../codec/json-scanner.ts';
import { UnusableTextError } from '../../codec/json-text.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageDownload } from '../../domain/image-download.ts';
import type { InputReference, InputStore } from '../../domain/image-input.ts';
import { invalidMember } from './member-name.ts';
import { type ImageSource, imageSource, receiveInput } from './receive-input.ts';

/** A URL is never held as text: it may be the image itself. */
export const urlText = 'stream-ascii';

/** A URL, or an object with one, as in a chat. */
export const imageUrl = {
  either: [urlText, { members: { url: urlText }, others: 'keep' }],
} as const satisfies JsonShape;

/** The text that has just begun. */
export async function* textPieces(tokens: AsyncIterator<ScanToken>): AsyncGenerator<Buffer> {
  for (let next = await tokens.next(); !next.done; next = await tokens.next()) {
    if (next.value.type === 'text-end') return;
    if (next.value.type === 'piece') yield next.value.bytes;
  }
}

/** Reads the URL that has just begun, as {@link imageSource} does. */
export async function readImageUrl(
  name: string,
  tokens: AsyncIterator<ScanToken>,
  inputs: InputStore,
): Promise<ImageSource | undefined> {
  try {
    return await imageSource(name, textPieces(tokens), inputs);
  } catch (error) {
    // Escapes may stand for characters that neither base64 nor a URL has.
    throw error instanceof UnusableTextError ? invalidMember(name, 'must be a data URL or an https URL') : error;
  }
}

/** Where the images of a JSON body go, and who fetches those that it only links to. */
export type JsonImages = {
  readonly inputs: InputStore;
  /** `undefined`: links are refused. */
  readonly download: ImageDownload | undefined;
  readonly signal: AbortSignal;
  /** How long all links together may take: nothing else limits a server that sends its image byte by byte. */
  readonly linksMs?: number;
  /** How many bytes all links together may return. */
  readonly linkBytes: number;
};

const defaultLinksMs = 60_000;

/** What gives the input of a source: what is behind a link is fetched and stored. The time for links begins now. */
export function inputFetcher({ inputs, download, signal, linksMs = defaultLinksMs, linkBytes }: JsonImages) {
  const either = AbortSignal.any([signal, AbortSignal.timeout(linksMs)]);
  let leftBytes = linkBytes;
  return async (source: ImageSource): Promise<InputReference> => {
    if ('input' in source) return source.input;
    const { link, name } = source;
    if (download === undefined) throw linksRefused(name);
    if (leftBytes <= 0) throw tooMuchBehindLinks(name, linkBytes);
    const input = await receiveInput(name, fetched(name, download(link, either)), inputs);
    leftBytes -= input.size;
    return input;
  };
}

async function* fetched(name: string, download: ReturnType<ImageDownload>): AsyncGenerator<Buffer> {
  try {
    yield* (await download).bytes;
  } catch (cause) {
    // The same error for every reason: it must not reveal what is at an address.
    throw new GatewayError('invalid_value', `'${name}' leads to no image that can be fetched.`, {
      param: name,
      cause,
    });
  }
}

function tooMuchBehindLinks(param: string, bytes: number): GatewayError {
  const message = `The images behind links are longer than ${bytes} bytes together ('limits.uploadBytes').`;
  return new GatewayError('request_too_large', message, { param });
}

function linksRefused(param: string): GatewayError {
  const message = `'${param}' must be a data URL: this gateway fetches no images from elsewhere.`;
  return new GatewayError('unsupported_parameter', message, { param });
}
