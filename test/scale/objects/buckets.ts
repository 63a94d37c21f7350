import type { ByteRange } from '../../../src/domain/image-store.ts';
import type { ObjectStorage } from '../../../src/domain/object-storage.ts';
import { allRanges } from '../../storage/image-store-suite.ts';
import { startAzurite } from '../engines/azurite.ts';
import { s3Credentials, startS3Server } from '../engines/s3-server.ts';

/** An object store that was started for the tests of a file. */
export type StartedStore = {
  /** The address of the server, behind which its path begins. */
  readonly origin: string;
  /** As IMAGES_URL would name it, at another address if one is given. */
  storage(origin?: string): ObjectStorage;
  close(): Promise<void>;
};

/** The object stores that all tests run against. */
export const objectStores: readonly ObjectStoreCase[] = [
  { name: 'Azure Blob Storage', start: startAzure, ranges: allRanges },
  // The test server takes `bytes=0-0` for no range.
  { name: 'S3', start: startS3, ranges: allRanges.filter(({ last }) => last > 0) },
];

type ObjectStoreCase = {
  readonly name: string;
  readonly start: () => Promise<StartedStore>;
  readonly ranges: readonly ByteRange[];
};

async function startAzure(): Promise<StartedStore> {
  const { account, container, key, endpoint, close } = await startAzurite();
  const { origin, pathname } = new URL(endpoint);
  return {
    origin,
    storage: (at = origin) => ({
      ...{ kind: 'azure', account, container, key, links: 'direct' },
      endpoint: `${at}${pathname}`,
    }),
    close,
  };
}

async function startS3(): Promise<StartedStore> {
  const { bucket, endpoint, close } = await startS3Server();
  // The provider chain of the SDK finds them there.
  Object.assign(process.env, s3Credentials);
  return {
    origin: endpoint,
    storage: (at = endpoint) => ({ kind: 's3', bucket, region: undefined, endpoint: at, links: 'direct' }),
    close,
  };
}
