import { Worker } from 'node:worker_threads';
import { UnusableImageError } from '../domain/image-conversion.ts';
import { isInstalled } from './load-sharp.ts';

/** Four bytes for each pixel: red, green, blue and alpha. */
export type Pixels = { readonly width: number; readonly height: number; readonly pixels: Uint8Array };

const workerFile = new URL(import.meta.url.endsWith('.ts') ? './heic-worker.ts' : './heic-worker.js', import.meta.url);

/** So long takes no image that is as large as its header says. */
const maxMs = 60_000;

/**
 * Decodes a HEIC file, whose codec the libvips of sharp does not have, with the optional package heic-decode in a thread of its
 * own. Rejects with an `UnusableImageError`, and with the reason of the signal.
 */
export async function decodeHeic(file: Buffer, signal: AbortSignal): Promise<Pixels> {
  if (!isInstalled('heic-decode')) {
    throw new UnusableImageError('is HEIC, and this gateway does not have the optional package heic-decode');
  }
  const { promise, resolve, reject } = Promise.withResolvers<Pixels>();
  const either = AbortSignal.any([signal, AbortSignal.timeout(maxMs)]);
  const worker = new Worker(workerFile, { workerData: file, stdout: true, stderr: true });
  const end = () => reject(signal.aborted ? signal.reason : new UnusableImageError('takes too long to decode'));
  either.addEventListener('abort', end);
  worker.once('message', resolve);
  worker.once('error', (cause) => reject(new UnusableImageError('is damaged, and cannot be decoded', { cause })));
  worker.once('exit', () => reject(new UnusableImageError('is damaged, and cannot be decoded')));
  try {
    return await promise;
  } finally {
    either.removeEventListener('abort', end);
    await worker.terminate();
  }
}
