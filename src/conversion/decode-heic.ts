import { Worker } from 'node:worker_threads';
import { Semaphore } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { UnusableImageError } from '../domain/image-conversion.ts';
import { isInstalled } from './load-sharp.ts';

/** Four bytes for each pixel: red, green, blue and alpha. */
export type Pixels = { readonly width: number; readonly height: number; readonly pixels: Uint8Array };

const workerFile = new URL(import.meta.url.endsWith('.ts') ? './heic-worker.ts' : './heic-worker.js', import.meta.url);

/** Real photos take a few seconds; one that takes longer was made to keep the thread busy. */
const maxMs = 60_000;

/** One file is decoded at once: its pixels, and what the decoder needs beside them, take up to several hundred megabytes. */
const permits = new Semaphore({ permits: 1 });

/** What the thread responds with: the pixels, or why it could not decode them. */
export type Decoded = Pixels | { readonly damage: string };

/**
 * Decodes a HEIC file, whose codec the libvips of sharp does not have, with the optional package heic-decode in a thread of its
 * own. Takes over the memory of the file. Rejects with an `UnusableImageError`, and with the reason of the signal.
 */
export async function decodeHeic(file: Buffer, signal: AbortSignal): Promise<Pixels> {
  if (!isInstalled('heic-decode')) {
    throw new UnusableImageError('is HEIC, and this gateway does not have the optional package heic-decode');
  }
  const release = await permits.acquire(signal);
  try {
    const decoded = await decodeInThread(file, signal);
    if ('damage' in decoded)
      throw new UnusableImageError('is damaged, and cannot be decoded', { cause: decoded.damage });
    return decoded;
  } finally {
    release();
  }
}

async function decodeInThread(file: Buffer, signal: AbortSignal): Promise<Decoded> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Decoded>();
  const either = AbortSignal.any([signal, AbortSignal.timeout(maxMs)]);
  const bytes = new Uint8Array(file.buffer as ArrayBuffer, file.byteOffset, file.length);
  const worker = new Worker(workerFile, {
    workerData: bytes,
    transferList: [bytes.buffer],
    stdout: true,
    stderr: true,
  });
  const end = () => reject(signal.aborted ? signal.reason : new UnusableImageError('takes too long to decode'));
  either.addEventListener('abort', end);
  worker.once('message', resolve);
  worker.once('error', (cause) => reject(broken(cause)));
  worker.once('exit', (code) => reject(broken(code)));
  try {
    return await promise;
  } finally {
    either.removeEventListener('abort', end);
    await worker.terminate();
  }
}

/** The thread itself has failed: the file may be in order. */
function broken(cause: unknown): GatewayError {
  return new GatewayError('internal_error', 'The gateway cannot decode HEIC: its decoder has failed.', { cause });
}
