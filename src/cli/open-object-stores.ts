import type { Environment } from '../config/environment.ts';
import type { KeptInputs } from '../domain/kept-inputs.ts';
import { isKeylessAzure } from '../domain/object-storage.ts';
import { connectBucket } from '../storage/objects/connect-bucket.ts';
import type { ObjectBucket } from '../storage/objects/object-bucket.ts';
import {
  createObjectImageStore,
  type ObjectImageStore,
  type ObjectImageStoreOptions,
} from '../storage/objects/object-image-store.ts';
import { createObjectKeptInputs } from '../storage/objects/object-kept-inputs.ts';
import { partPermits } from '../storage/objects/part-sender.ts';
import { loadEntra } from '../upstream/entra.ts';

/** An object store that can be used, before the directory is opened that images wait in. */
export type OpenBucket = {
  readonly bucket: ObjectBucket;
  readonly hasDirectLinks: boolean;
};

/** Images and inputs in an object store, with what belongs to them. */
export type ObjectStores = {
  readonly images: ObjectImageStore;
  readonly keptInputs: KeptInputs;
  /** `undefined`: links lead to the gateway. */
  readonly linkTo: ObjectImageStore['linkTo'] | undefined;
};

/**
 * Reaches the object store that IMAGES_URL names; `undefined` when it names none. Rejects with a sentence for the operator when
 * images could not be stored there.
 */
export async function openBucket({ objectStorage }: Partial<Environment>): Promise<OpenBucket | undefined> {
  if (objectStorage === undefined) return undefined;
  const bucket = await connectBucket(objectStorage, isKeylessAzure(objectStorage) ? await loadEntra() : undefined);
  return { bucket, hasDirectLinks: objectStorage.links === 'direct' };
}

/** @param local where images wait until they are uploaded; it is closed with the images */
export function createObjectStores(
  { bucket, hasDirectLinks }: OpenBucket,
  settings: Pick<ObjectImageStoreOptions, 'local' | 'lifetimeMs' | 'now'>,
): ObjectStores {
  const permits = partPermits(bucket);
  const images = createObjectImageStore({ ...settings, bucket, permits });
  return {
    images,
    keptInputs: createObjectKeptInputs({ bucket, lifetimeMs: () => images.lifetimeMs, now: settings.now, permits }),
    linkTo: hasDirectLinks ? (image) => images.linkTo(image) : undefined,
  };
}
