import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { imageHeaderBytes, imageMediaType } from '../codec/image-header.ts';
import { Semaphore } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { StoredImage } from '../domain/image-store.ts';
import type { Retrying } from '../domain/retrying.ts';
import { isHostable } from './image-directory.ts';
import { onDisk, retryOnDisk } from './storage-failure.ts';

/** Runs a task when there is a permit for it; rejects with the signal's reason when that comes first. */
export type WithPermit = <T>(task: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/**
 * Lets `permits` images arrive at once; the others wait at their upstreams. More at a time would not make the disk faster,
 * but each costs memory. After `maxHoldMs` a task goes on without its permit: an image that trickles in costs little memory,
 * and must not hold up the others.
 */
export function createArrivalPermits(permits: number, maxHoldMs: number): WithPermit {
  const semaphore = new Semaphore({ permits });
  return async (task, signal) => {
    const release = await semaphore.acquire(signal);
    const timer = setTimeout(release, maxHoldMs);
    try {
      return await task();
    } finally {
      clearTimeout(timer);
      release();
    }
  };
}

/** What the bytes themselves say. */
export type ReceivedImage = Pick<StoredImage, 'mediaType' | 'length' | 'tag'>;

type Arriving = { readonly path: string; readonly maxBytes: number; readonly retrying: Retrying };

/**
 * Writes an image to a new file at `path` while it arrives, one chunk at a time, until it is durable there. Rejects as
 * `ImageStore.put` does; the caller then removes the file. Bytes that are no image never reach the disk.
 */
export async function receiveImage(
  bytes: AsyncIterable<Buffer>,
  { path, maxBytes, retrying }: Arriving,
): Promise<ReceivedImage> {
  const hash = createHash('sha256');
  let length = 0;
  let written = 0;
  let header: Buffer = Buffer.alloc(0);
  let image: { readonly mediaType: string; readonly file: FileHandle } | undefined;

  const write = async (chunk: Buffer) => {
    image ??= { mediaType: hostableType(chunk), file: await retryOnDisk(() => open(path, 'wx', 0o600), retrying) };
    const { file } = image;
    await retryOnDisk(() => writeAt(file, chunk, written), retrying);
    written += chunk.length;
    hash.update(chunk);
    return image;
  };

  try {
    for await (const chunk of bytes) {
      length += chunk.length;
      if (length > maxBytes) throw unusable('it is too long');
      if (image !== undefined) await write(chunk);
      else {
        header = Buffer.concat([header, chunk]);
        if (header.length >= imageHeaderBytes) await write(header);
      }
    }
    const { mediaType, file } = image ?? (await write(header));
    // Not retried: after a failed sync the next one may succeed although bytes are lost.
    // https://wiki.postgresql.org/wiki/Fsync_Errors
    await onDisk(file.sync());
    return { mediaType, length, tag: hash.digest('base64url') };
  } finally {
    // Whether the bytes are safe was settled by sync; a failing close adds nothing and must not hide the first error.
    await image?.file.close().catch(() => {});
  }
}

/** All of a chunk at its place, so that it can be written again after a failure. */
async function writeAt(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

function hostableType(header: Buffer): string {
  const mediaType = imageMediaType(header);
  if (!isHostable(mediaType)) throw unusable('it is not a PNG, JPEG, GIF or WebP image');
  return mediaType;
}

function unusable(cause: string): GatewayError {
  return new GatewayError('upstream_invalid_response', 'The image service returned an image that cannot be hosted.', {
    outcome: 'unknown',
    cause,
  });
}
