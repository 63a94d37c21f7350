import type { Readable } from 'node:stream';
import type * as S3 from '@aws-sdk/client-s3';
import type * as Presigner from '@aws-sdk/s3-request-presigner';
import type { ByteRange } from '../../domain/image-store.ts';
import type { S3Bucket } from '../../domain/object-storage.ts';
import { loadOptional } from '../load-optional.ts';
import {
  expiryOf,
  type ListedObject,
  maxLinkMs,
  metadataOf,
  type ObjectBucket,
  type ObjectHead,
  type ObjectProperties,
  type ObjectUpload,
} from './object-bucket.ts';
import { atStore, objectStoreError } from './object-store-error.ts';
import { limited, untilHead } from './request-limit.ts';

/** All parts but the last must have 5 MiB: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const partBytes = 5 * 1024 * 1024;

/** Readers hold connections as long as they read, and uploads must not wait for those. */
const maxSockets = 512;

/** Credentials are those that the SDK finds: of an IAM role, of the environment, of a profile. */
export async function openS3Objects(bucket: S3Bucket): Promise<ObjectBucket> {
  const s3 = await loadOptional('IMAGES_URL', '@aws-sdk/client-s3', import('@aws-sdk/client-s3'));
  const presigner = await loadOptional(
    'IMAGES_URL',
    '@aws-sdk/s3-request-presigner',
    import('@aws-sdk/s3-request-presigner'),
  );
  return new S3Objects(s3, presigner, bucket);
}

/** Other services may know neither a host name per bucket, nor the checksums that AWS added later, and mostly have no regions. */
function clientSettings({ region, endpoint }: S3Bucket): S3.S3ClientConfig {
  if (endpoint === undefined) return region === undefined ? {} : { region };
  const checksums = {
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  } as const;
  return { region: region ?? 'us-east-1', endpoint, forcePathStyle: true, ...checksums };
}

class S3Objects implements ObjectBucket {
  readonly partBytes = partBytes;
  readonly #s3: typeof S3;
  readonly #presigner: typeof Presigner;
  readonly #client: S3.S3Client;
  readonly #bucket: string;

  constructor(s3: typeof S3, presigner: typeof Presigner, settings: S3Bucket) {
    this.#s3 = s3;
    this.#presigner = presigner;
    this.#bucket = settings.bucket;
    this.#client = new s3.S3Client({
      ...clientSettings(settings),
      maxAttempts: 2,
      requestHandler: { connectionTimeout: 5_000, httpAgent: { maxSockets }, httpsAgent: { maxSockets } },
    });
  }

  async put(name: string, bytes: Buffer, properties: ObjectProperties, signal: AbortSignal): Promise<void> {
    const command = new this.#s3.PutObjectCommand({ ...this.#at(name), ...written(properties), Body: bytes });
    await atStore(this.#client.send(command, { abortSignal: limited(signal) }));
  }

  upload(name: string, properties: ObjectProperties): ObjectUpload {
    const [s3, client, at] = [this.#s3, this.#client, this.#at(name)];
    const parts: { readonly ETag: string | undefined; readonly PartNumber: number }[] = [];
    let id: string | undefined;
    return {
      async add(part, signal) {
        const abortSignal = limited(signal);
        if (id === undefined) {
          const begin = new s3.CreateMultipartUploadCommand({ ...at, ...written(properties) });
          ({ UploadId: id } = await atStore(client.send(begin, { abortSignal })));
        }
        const PartNumber = parts.length + 1;
        const send = new s3.UploadPartCommand({ ...at, UploadId: id, PartNumber, Body: part });
        const { ETag } = await atStore(client.send(send, { abortSignal }));
        parts.push({ ETag, PartNumber });
      },
      async commit(signal) {
        const end = new s3.CompleteMultipartUploadCommand({ ...at, UploadId: id, MultipartUpload: { Parts: parts } });
        await atStore(client.send(end, { abortSignal: limited(signal) }));
      },
      async abort() {
        if (id === undefined) return;
        const abort = new s3.AbortMultipartUploadCommand({ ...at, UploadId: id });
        // What is left of it is removed by the lifecycle rule of the bucket.
        await client.send(abort, { abortSignal: limited(AbortSignal.any([])) }).catch(() => {});
      },
    };
  }

  async head(name: string, signal: AbortSignal): Promise<ObjectHead | undefined> {
    try {
      const command = new this.#s3.HeadObjectCommand(this.#at(name));
      const found = await this.#client.send(command, { abortSignal: limited(signal) });
      const { ContentType, ContentLength = 0, Metadata } = found;
      return { contentType: ContentType, length: ContentLength, expiresAt: expiryOf(Metadata) };
    } catch (error) {
      const failure = objectStoreError(error);
      if (failure.status === 404) return undefined;
      throw failure;
    }
  }

  async read(name: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
    const Range = range && `bytes=${range.first}-${range.last}`;
    const command = new this.#s3.GetObjectCommand({ ...this.#at(name), ...(Range && { Range }) });
    const { Body } = await atStore(untilHead(signal, (abortSignal) => this.#client.send(command, { abortSignal })));
    return Body as Readable;
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    const command = new this.#s3.DeleteObjectCommand(this.#at(name));
    await atStore(this.#client.send(command, { abortSignal: limited(signal) }));
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const from = token === undefined ? {} : { ContinuationToken: token };
      const command = new this.#s3.ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ...from });
      const page = await atStore(this.#client.send(command, { abortSignal: limited(signal) }));
      for (const { Key, LastModified } of page.Contents ?? []) {
        if (Key && LastModified) yield { name: Key, expiresAt: undefined, modifiedAt: LastModified.getTime() };
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async link(name: string, expiresAt: number): Promise<string> {
    const lifeMs = Math.min(maxLinkMs, expiresAt - Date.now());
    const expiresIn = Math.max(1, Math.floor(lifeMs / 1_000));
    const command = new this.#s3.GetObjectCommand(this.#at(name));
    return atStore(this.#presigner.getSignedUrl(this.#client, command, { expiresIn }));
  }

  #at(name: string) {
    return { Bucket: this.#bucket, Key: name };
  }

  close(): void {
    this.#client.destroy();
  }
}

function written(properties: ObjectProperties) {
  return { ContentType: properties.contentType, ContentDisposition: 'inline', Metadata: metadataOf(properties) };
}
