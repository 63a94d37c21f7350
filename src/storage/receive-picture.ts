import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { GatewayError } from '../domain/gateway-error.ts';
import { imageHeaderBytes, imageMediaType } from '../domain/image-header.ts';
import type { StoredImage } from '../domain/image-store.ts';
import { isHostable } from './picture-name.ts';
import { onDisk } from './storage-failure.ts';

/** What the bytes themselves tell. */
export type ReceivedPicture = Pick<StoredImage, 'mediaType' | 'length' | 'tag'>;

/**
 * Writes a picture to a new file at `path` while it arrives, one chunk at a time, until it is durable there. Rejects as
 * `ImageStore.put` does; the caller then removes the file. Bytes that are no image never reach the disk.
 */
export async function receivePicture(
  bytes: AsyncIterable<Buffer>,
  path: string,
  maxBytes: number,
): Promise<ReceivedPicture> {
  const hash = createHash('sha256');
  let length = 0;
  let header: Buffer = Buffer.alloc(0);
  let picture: { readonly mediaType: string; readonly file: FileHandle } | undefined;

  const write = async (chunk: Buffer) => {
    picture ??= { mediaType: hostableType(chunk), file: await onDisk(open(path, 'wx', 0o600)) };
    hash.update(chunk);
    // appendFile, unlike write, goes on after a partial write.
    await onDisk(picture.file.appendFile(chunk));
    return picture;
  };

  try {
    for await (const chunk of bytes) {
      length += chunk.length;
      if (length > maxBytes) throw unusable('it is too long');
      if (picture !== undefined) await write(chunk);
      else {
        header = Buffer.concat([header, chunk]);
        if (header.length >= imageHeaderBytes) await write(header);
      }
    }
    const { mediaType, file } = picture ?? (await write(header));
    await onDisk(file.sync());
    return { mediaType, length, tag: hash.digest('base64url') };
  } finally {
    // Whether the bytes are safe was settled by sync; a failing close adds nothing and must not hide the first error.
    await picture?.file.close().catch(() => {});
  }
}

function hostableType(header: Buffer): string {
  const mediaType = imageMediaType(header);
  if (!isHostable(mediaType)) throw unusable('it is not a PNG, JPEG, GIF or WebP image');
  return mediaType;
}

function unusable(cause: string): GatewayError {
  return new GatewayError('upstream_invalid_response', 'The image service returned a picture that cannot be hosted.', {
    outcome: 'unknown',
    cause,
  });
}
