import { randomBytes } from 'node:crypto';
import type { ObjectStorage } from '../../domain/object-storage.ts';
import { openAzureBlobs } from './azure-blobs.ts';
import type { TokensFor } from './azure-token-credential.ts';
import type { ObjectBucket } from './object-bucket.ts';
import { ObjectStoreError } from './object-store-error.ts';
import { openS3Objects } from './s3-objects.ts';

/** How long a start waits for the object store. */
const checkMs = 20_000;

/**
 * Opens the bucket, and makes sure that images can be stored in it, and links signed where they are wanted. Rejects with an
 * error whose message is a sentence for the operator, and has no secrets.
 *
 * @param tokens used for Azure where there is no key
 */
export async function connectBucket(storage: ObjectStorage, tokens: TokensFor | undefined): Promise<ObjectBucket> {
  const bucket = storage.kind === 'azure' ? await openAzureBlobs(storage, tokens) : await openS3Objects(storage);
  try {
    await writeAndRemove(bucket, AbortSignal.timeout(checkMs));
  } catch (error) {
    throw unusable(bucket, 'IMAGES_URL cannot be used', error);
  }
  try {
    if (storage.links === 'direct') await bucket.link('checks/link', Date.now() + checkMs);
  } catch (error) {
    throw unusable(bucket, 'IMAGE_LINKS=direct cannot be used, links cannot be signed', error);
  }
  return bucket;
}

function unusable(bucket: ObjectBucket, what: string, error: unknown): Error {
  bucket.close();
  return new Error(`${what}: ${error instanceof ObjectStoreError ? error.message : 'unexpected error'}`);
}

/** Reading alone would not show a role that may read only. */
async function writeAndRemove(bucket: ObjectBucket, signal: AbortSignal): Promise<void> {
  const name = `checks/${randomBytes(9).toString('base64url')}`;
  const properties = { contentType: 'text/plain', expiresAt: Date.now(), isKept: false };
  await bucket.put(name, Buffer.from('The gateway may write here.\n'), properties, signal);
  await bucket.remove(name, signal);
}
