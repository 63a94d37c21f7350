import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { readEnvironment } from '../../src/config/environment.ts';
import { problemsIn } from './example-models.ts';

const key = 'c2VjcmV0LWNhbmFyeS1zZWNyZXQtY2FuYXJ5';
const account = `AccountName=pictures;AccountKey=${key}`;

const storageOf = (variables: Record<string, string>) => readEnvironment(variables).objectStorage;
const messagesOf = (variables: Record<string, string>) =>
  problemsIn(() => readEnvironment(variables)).map(({ path, message }) => `${path}: ${message}`);

describe('IMAGES_URL', () => {
  test('unset leaves images in the directory, whatever other programs have set', () => {
    expect(storageOf({})).toBeUndefined();
    expect(storageOf({ AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true' })).toBeUndefined();
  });

  test('names a container of Azure, which needs no key', () => {
    expect(storageOf({ IMAGES_URL: 'azblob://pictures/images' })).toEqual({
      kind: 'azure',
      account: 'pictures',
      container: 'images',
      endpoint: 'https://pictures.blob.core.windows.net',
      key: undefined,
      links: 'proxy',
    });
  });

  test('names a bucket of S3, with what differs from the environment', () => {
    expect(storageOf({ IMAGES_URL: 's3://my.bucket' })).toMatchObject({ kind: 's3', bucket: 'my.bucket' });
    const IMAGES_URL = 's3://my.bucket/?region=eu-central-1&endpoint=http%3A%2F%2Fminio%3A9000%2F';
    expect(storageOf({ IMAGES_URL, IMAGE_LINKS: 'direct' })).toEqual({
      kind: 's3',
      bucket: 'my.bucket',
      region: 'eu-central-1',
      endpoint: 'http://minio:9000',
      links: 'direct',
    });
  });

  test.each([
    [{ AZURE_STORAGE_KEY: key }, 'https://pictures.blob.core.windows.net'],
    [{ AZURE_STORAGE_CONNECTION_STRING: account }, 'https://pictures.blob.core.windows.net'],
    [
      {
        AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=https;${account};EndpointSuffix=core.usgovcloudapi.net`,
      },
      'https://pictures.blob.core.usgovcloudapi.net',
    ],
    [
      { AZURE_STORAGE_CONNECTION_STRING: `${account};BlobEndpoint=http://127.0.0.1:10000/pictures;` },
      'http://127.0.0.1:10000/pictures',
    ],
  ] as const)('takes the key from %o, as a secret', (variables, endpoint) => {
    const storage = storageOf({ IMAGES_URL: 'azblob://pictures/images', ...variables });
    expect(storage).toMatchObject({ endpoint });
    expect(storage?.kind === 'azure' && storage.key?.expose()).toBe(key);
    expect(inspect(storage, { depth: 9 })).not.toContain(key);
  });

  test.each([
    [
      'https://pictures.blob.core.windows.net/images',
      'must be azblob://account/container or s3://bucket?region=us-east-1',
    ],
    ['pictures', 'must be azblob://account/container or s3://bucket?region=us-east-1'],
    ['azblob://pictures', 'needs the name of a container: azblob://account/container'],
    ['azblob://pictures/images/more', 'needs the name of a container: azblob://account/container'],
    ['azblob://Not_one/images', 'needs the name of a storage account: azblob://account/container'],
    ['azblob://pictures/images?region=eu', 'has a query parameter other than endpoint'],
    ['azblob://pictures/images?sv=2024&sig=abc', 'has a query parameter other than endpoint'],
    [
      'azblob://pictures/images?endpoint=ftp://x',
      'has an endpoint that is no http or https URL without user, query and fragment',
    ],
    [
      'azblob://pictures/images?endpoint=http://x/pictures',
      'needs an https endpoint, or AZURE_STORAGE_KEY: tokens are not sent over http',
    ],
    [
      'azblob://pictures:1/images',
      'must be azblob://account/container or s3://bucket?region=us-east-1, without port and fragment',
    ],
    ['s3://', 'needs the name of a bucket: s3://bucket'],
    ['s3://bucket/path', 'names a bucket only, without a path: s3://bucket'],
    ['s3://bucket?region=eu west', 'has a region that is none'],
    ['s3://bucket?region=a&region=b', 'has a query parameter twice'],
  ])('%s %s', (IMAGES_URL, problem) => {
    expect(messagesOf({ IMAGES_URL })).toEqual([`IMAGES_URL: ${problem}`]);
  });

  test.each([`azblob://user:${key}@pictures/images`, `s3://AKIA:${key}@bucket`, `s3://bucket?secret=${key}`])(
    'never repeats what may be secret',
    (IMAGES_URL) => {
      const messages = messagesOf({ IMAGES_URL });
      expect(messages).toHaveLength(1);
      expect(messages.join()).not.toContain(key);
    },
  );

  test.each([
    [{ AZURE_STORAGE_KEY: 'short' }, 'AZURE_STORAGE_KEY: is no key of an account'],
    [
      { AZURE_STORAGE_CONNECTION_STRING: 'BlobEndpoint=https://x.test;SharedAccessSignature=sig' },
      'AZURE_STORAGE_CONNECTION_STRING: must have an AccountKey; without one, use a managed identity',
    ],
    [
      { AZURE_STORAGE_CONNECTION_STRING: account.replace('pictures', 'others') },
      'AZURE_STORAGE_CONNECTION_STRING: is of another account than IMAGES_URL',
    ],
    [
      { AZURE_STORAGE_CONNECTION_STRING: `${account};BlobEndpoint=nowhere` },
      'AZURE_STORAGE_CONNECTION_STRING: has a BlobEndpoint that is no URL',
    ],
    [{ IMAGE_LINKS: 'signed' }, 'IMAGE_LINKS: must be proxy or direct'],
    [{ DATA_DIR: '' }, 'IMAGES_URL: needs DATA_DIR: images are kept there until they are uploaded'],
  ] as const)('with %o is a problem', (variables, problem) => {
    expect(messagesOf({ IMAGES_URL: 'azblob://pictures/images', ...variables })).toEqual([problem]);
  });

  test('is needed by direct links', () => {
    expect(messagesOf({ IMAGE_LINKS: 'direct' })).toEqual(['IMAGE_LINKS: direct needs IMAGES_URL']);
  });
});
