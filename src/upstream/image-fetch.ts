import { crc32 } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { imageHeaderBytes, imageMediaType } from '../codec/image-header.ts';
import { pauseBeforeRetry } from '../concurrency/free-retry.ts';
import { replay } from '../concurrency/replay.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { DownloadedImage } from '../domain/image-download.ts';
import type { Retrying } from '../domain/retrying.ts';
import { exchange, type HttpResponse } from './exchange.ts';
import { ForbiddenAddressError } from './guarded-connector.ts';
import { retryHint } from './retry-hint.ts';

const maxBytes = 64 * 1024 * 1024;

/** A server that needs long for each first byte would never be waited for by tries that are all equally short. */
const maxSilenceMs = 120_000;

/** A first try that begins with less time left is made all the same, until the request's deadline: what it is for is paid. */
const shortestTryMs = 1_000;

type Options = Retrying & {
  readonly agent: Dispatcher;
  readonly url: URL;
  /** How many tries in a row may bring nothing new. */
  readonly maxTries: number;
  /** How long a try may bring no byte; it doubles with each try that did. */
  readonly silenceMs: number;
};

/**
 * One image, fetched by as many tries as it takes. Each one goes on where the last one broke off: by a range where the
 * server tells versions of the file apart, else from the start, skipping what has passed if it is the same.
 */
export class ImageFetch {
  readonly #options: Options;
  #silenceMs: number;
  #failures = 0;
  /** What was handed on: how much, and its CRC-32. */
  #length = 0;
  #checksum = 0;
  /** Of the file that is being read; without a tag no range of it is asked for. */
  #etag: string | undefined;
  #total: number | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#silenceMs = options.silenceMs;
  }

  /** Settles when the first bytes were seen to be an image. */
  async open(): Promise<DownloadedImage> {
    for (;;) {
      try {
        const { mediaType, bytes } = await this.#get({}, (response) => this.#begin(response));
        return { mediaType, bytes: this.#bytes(bytes) };
      } catch (error) {
        await this.#waitAfter(error);
      }
    }
  }

  async *#bytes(first: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for (let part: AsyncIterable<Buffer> | undefined = first; ; part = undefined) {
      try {
        for await (const chunk of part ?? (await this.#rest())) {
          this.#handOn(chunk);
          yield chunk;
        }
        if (this.#isComplete) return;
        throw new Error('it ended too early');
      } catch (error) {
        // A body can break after its last byte.
        if (this.#total !== undefined && this.#isComplete) return;
        await this.#waitAfter(error);
      }
    }
  }

  get #isComplete(): boolean {
    return this.#total === undefined || this.#length === this.#total;
  }

  #handOn(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > (this.#total ?? maxBytes)) throw unavailable('it is too long');
    this.#checksum = crc32(chunk, this.#checksum);
    this.#failures = 0;
  }

  /** What follows what was handed on. */
  #rest(): Promise<AsyncIterable<Buffer>> {
    const range = { range: `bytes=${this.#length}-`, 'if-range': this.#etag };
    return this.#get(this.#etag === undefined ? {} : range, async (response) => {
      if (response.status === 206) return this.#continued(response);
      // Perhaps it is the range that the server does not like.
      this.#etag = undefined;
      const { bytes } = await this.#begin(response);
      return this.#afterPrefix(bytes);
    });
  }

  #continued({ headers, body }: HttpResponse): AsyncIterable<Buffer> {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
    const isSame = headers.etag === this.#etag && (this.#total === undefined || Number(total) === this.#total);
    if (!isSame || Number(first) !== this.#length) {
      this.#etag = undefined;
      throw new Error('the range that came is not the one that was asked for');
    }
    checkEncoding(headers);
    this.#total = lengthOf(total);
    return body;
  }

  /** The file from its start. */
  async #begin({ status, headers, body }: HttpResponse): Promise<DownloadedImage> {
    if (status !== 200) throw new StatusError(status, retryHint(headers));
    checkEncoding(headers);
    const total = lengthOf(headers['content-length']);
    const image = await checkFirstBytes(body);
    // Those of a page of HTML in its place would be of no use.
    this.#total = total;
    this.#etag = headers.etag?.startsWith('"') ? headers.etag : undefined;
    return image;
  }

  /** When the beginning is what was handed on already, the rest makes a whole file of it, whatever its tags say. */
  async *#afterPrefix(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const [length, checksum] = [this.#length, this.#checksum];
    let passed = 0;
    let passedChecksum = 0;
    for await (const chunk of bytes) {
      const known = chunk.subarray(0, length - passed);
      passed += known.length;
      passedChecksum = crc32(known, passedChecksum);
      if (passed === length && passedChecksum !== checksum) throw unavailable('the file has changed');
      if (known.length < chunk.length) yield chunk.subarray(known.length);
    }
    if (passed < length) throw new Error('it ended too early');
  }

  /** One request. Its response is closed when `read` throws, or takes too long. */
  async #get<T>(headers: Record<string, string | undefined>, read: (response: HttpResponse) => Promise<T>): Promise<T> {
    const { agent, url, signal, until } = this.#options;
    const limit = new AbortController();
    const shortestMs = this.#failures === 0 ? shortestTryMs : 0;
    const limitMs = Math.min(this.#silenceMs, Math.max(shortestMs, until - performance.now()));
    const timer = setTimeout(() => limit.abort(new SilenceError('no byte came')), limitMs);
    let body: HttpResponse['body'] | undefined;
    try {
      const response = await exchange(agent, {
        url,
        method: 'GET',
        headers: { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'azure-image-gateway', ...headers },
        signal: AbortSignal.any([signal, limit.signal]),
        bodyTimeout: this.#silenceMs,
      });
      body = response.body;
      return await read(response);
    } catch (error) {
      body?.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the next try may begin; rejects when there is none. */
  async #waitAfter(error: unknown): Promise<void> {
    const { signal, until, maxTries } = this.#options;
    signal.throwIfAborted();
    if (error instanceof GatewayError) throw error;
    this.#failures += 1;
    const failure = unavailable(error);
    if (error instanceof ForbiddenAddressError || this.#failures >= maxTries) throw failure;
    if (isSilence(error)) this.#silenceMs = Math.min(maxSilenceMs, this.#silenceMs * 2);
    const hintMs = error instanceof StatusError ? error.retryAfterMs : undefined;
    await pauseBeforeRetry(failure, { signal, until, failures: this.#failures, hintMs });
  }
}

class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly retryAfterMs: number | undefined;

  constructor(status: number, retryAfterMs: number | undefined) {
    super(`status ${status}`);
    this.retryAfterMs = retryAfterMs;
  }
}

class SilenceError extends Error {
  override readonly name = 'SilenceError';
}

function isSilence(error: unknown): boolean {
  return error instanceof SilenceError || (error as { code?: unknown }).code === 'UND_ERR_BODY_TIMEOUT';
}

function checkEncoding(headers: HttpResponse['headers']): void {
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw new Error('it is compressed');
}

/** The length that a header tells; throws when it is too long. */
function lengthOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (Number(header) > maxBytes) throw unavailable('it is too long');
  return Number(header);
}

async function checkFirstBytes(body: AsyncIterable<Buffer>): Promise<DownloadedImage> {
  const rest = body[Symbol.asyncIterator]();
  let header: Buffer = Buffer.alloc(0);
  while (header.length < imageHeaderBytes) {
    const { value, done } = await rest.next();
    if (done) break;
    header = header.length === 0 ? value : Buffer.concat([header, value]);
  }
  const mediaType = imageMediaType(header);
  // Azure stores no SVG, but its errors are XML.
  if (mediaType === undefined || mediaType === 'image/svg+xml') throw new Error('it is not an image');
  return { mediaType, bytes: replay([header], rest) };
}

export function unavailable(cause: unknown): GatewayError {
  return new GatewayError(
    'upstream_result_unavailable',
    'A finished image could not be fetched from where the image service stored it. It was not retried.',
    { outcome: 'unknown', cause },
  );
}
