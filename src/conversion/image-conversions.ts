import type { Sharp } from 'sharp';
import { noteBuffer } from '../codec/collect-buffers.ts';
import { readImageHeader } from '../codec/image-header.ts';
import { Semaphore } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import {
  type ConversionOrder,
  type ImageConverter,
  maxWebpEdge,
  UnusableImageError,
} from '../domain/image-conversion.ts';
import {
  type InputMediaType,
  type InputReader,
  type InputReference,
  maxPixels,
  type StoredBytes,
} from '../domain/image-input.ts';
import type { ConversionRecord, Recorder } from '../domain/recorder.ts';
import { decodeHeic } from './decode-heic.ts';
import { isInstalled, loadSharp, type SharpModule } from './load-sharp.ts';

/** So many images are converted at once, each by one thread of libvips. */
const atOnce = 2;

/** The longest file that is decoded, in bytes. */
const maxBytes = 64 * 1024 * 1024;

/**
 * The one converter of a process; `undefined` without the optional package sharp, which is loaded when it is needed first.
 * @param isShared whether something else in this process uses sharp in other ways
 */
export function createImageConverter(recorder: Conversions, isShared: boolean): ImageConverter | undefined {
  return isInstalled('sharp') ? new SharpConverter(() => loadSharp(isShared), recorder) : undefined;
}

type Conversions = Pick<Recorder, 'imageConverted'>;

class SharpConverter implements ImageConverter {
  readonly #load: () => Promise<SharpModule>;
  readonly #permits = new Semaphore({ permits: atOnce });
  readonly #recorder: Conversions;
  #loading: Promise<SharpModule> | undefined;

  constructor(load: () => Promise<SharpModule>, recorder: Conversions) {
    this.#load = load;
    this.#recorder = recorder;
  }

  async ready(): Promise<void> {
    await this.#loaded();
  }

  async convert(order: ConversionOrder): Promise<InputReference> {
    const { kind, format: to, signal } = order;
    const release = await this.#permits.acquire(signal);
    const begin = performance.now();
    const seen: Seen = { type: undefined };
    let outcome: ConversionRecord['outcome'] = 'converted';
    try {
      return await convertFile(await this.#loaded(), order, seen);
    } catch (error) {
      outcome = error instanceof UnusableImageError ? 'unusable' : signal.aborted ? 'abandoned' : 'failed';
      throw error;
    } finally {
      release();
      this.#recorder.imageConverted({ from: seen.type, to, kind, outcome, durationMs: performance.now() - begin });
    }
  }

  #loaded(): Promise<SharpModule> {
    this.#loading ??= this.#load().catch((cause) => {
      throw new GatewayError('internal_error', 'The gateway cannot convert images: sharp does not load.', { cause });
    });
    return this.#loading;
  }
}

/** What a file has turned out to be. */
type Seen = { type: InputMediaType | undefined };

async function convertFile(sharp: SharpModule, order: ConversionOrder, seen: Seen): Promise<InputReference> {
  const { image, from, into, format, signal } = order;
  const file = await readWhole(image, from);
  await checkHeader(file, seen);
  const decoding = seen.type === 'image/heic' ? await decodedHeic(sharp, file, signal) : sharp(file, options);
  const { data, info } = await encoded(decoding, order).catch(unusable);
  noteBuffer(data.length);
  const stored = await into.put(pieces(data));
  return { ...stored, type: `image/${format}`, width: info.width, height: info.height, hasAlpha: info.channels === 4 };
}

async function readWhole(image: StoredBytes, from: InputReader): Promise<Buffer> {
  if (image.size > maxBytes) throw new UnusableImageError(`is longer than ${maxBytes} bytes`);
  const file = Buffer.allocUnsafeSlow(image.size);
  let length = 0;
  for await (const chunk of from.open(image)) length += chunk.copy(file, length);
  noteBuffer(length);
  return file;
}

const options = { failOn: 'error', limitInputPixels: maxPixels, sequentialRead: true, autoOrient: true } as const;

async function decodedHeic(sharp: SharpModule, file: Buffer, signal: AbortSignal): Promise<Sharp> {
  const { width, height, pixels } = await decodeHeic(file, signal);
  return sharp(pixels, { limitInputPixels: maxPixels, raw: { width, height, channels: 4 } });
}

/** A file says itself what it is, and how large it becomes: only then it is decoded. */
async function checkHeader(file: Buffer, seen: Seen): Promise<void> {
  const header = await readImageHeader(async (position, length) => file.subarray(position, position + length));
  if (header === undefined) throw new UnusableImageError('is damaged, or of a type that is not converted');
  const { mediaType, width, height } = header;
  seen.type = mediaType;
  if (width * height > maxPixels) throw new UnusableImageError(`has more than ${maxPixels} pixels: ${width}x${height}`);
}

/** What libvips calls the formats that it may read. */
const loaders: ReadonlySet<string> = new Set(['png', 'jpeg', 'webp', 'gif', 'heif', 'raw']);

async function encoded(decoding: Sharp, { format, compression }: ConversionOrder) {
  const { pages = 1, format: found, width, height } = await decoding.metadata();
  // Its first bytes decide what a loader gets to see, whatever stands behind them.
  if (!loaders.has(found)) throw new UnusableImageError('is of a type that is not converted');
  if (pages > 1) throw new UnusableImageError(`is animated, and of its ${pages} frames only one could be kept`);
  if (format === 'webp' && Math.max(width, height) > maxWebpEdge) {
    throw new UnusableImageError(`has ${width}x${height} pixels, and an edge of a WebP has at most ${maxWebpEdge}`);
  }
  const quality = Math.max(1, compression);
  if (format === 'png') decoding.png();
  else if (format === 'webp') decoding.webp({ quality });
  else decoding.flatten({ background: '#ffffff' }).jpeg({ quality });
  return decoding.toBuffer({ resolveWithObject: true });
}

/** What libvips says about a file is for the log. */
function unusable(cause: unknown): never {
  if (cause instanceof UnusableImageError) throw cause;
  throw new UnusableImageError('is damaged, and cannot be decoded', { cause });
}

const pieceBytes = 64 * 1024;

async function* pieces(data: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes);
}
