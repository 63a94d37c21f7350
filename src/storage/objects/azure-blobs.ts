import type { Readable } from 'node:stream';
import type * as Azure from '@azure/storage-blob';
import type { ByteRange } from '../../domain/image-store.ts';
import type { AzureContainer } from '../../domain/object-storage.ts';
import { loadOptional } from '../load-optional.ts';
import { azureTokenCredential, type TokensFor } from './azure-token-credential.ts';
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

/** Blocks may be as small as one likes; with these, an image of 2 MB is half stored when its last byte comes. */
const blockBytes = 1024 * 1024;

/** A part that failed is sent once more; images that still fail are uploaded later. */
const retryOptions = { maxTries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 1_000 };

/** The clocks of the gateway and of Azure may differ. */
const skewMs = 15 * 60_000;

/** A key to sign links with is asked for again after a day, so that it always covers six days more. */
const renewKeyMs = 24 * 60 * 60_000;

/** Where that fails, the key that there is goes on for so long. */
const retryKeyMs = 60_000;

/** @param tokens used where the account's key is not given */
export async function openAzureBlobs(container: AzureContainer, tokens: TokensFor | undefined): Promise<ObjectBucket> {
  const azure = await loadOptional('IMAGES_URL', '@azure/storage-blob', import('@azure/storage-blob'));
  return new AzureBlobs(azure, container, tokens);
}

type SigningKey = { readonly key: Azure.UserDelegationKey; readonly until: number; readonly renewAt: number };

class AzureBlobs implements ObjectBucket {
  readonly partBytes = blockBytes;
  readonly #azure: typeof Azure;
  readonly #settings: AzureContainer;
  readonly #service: Azure.BlobServiceClient;
  readonly #container: Azure.ContainerClient;
  readonly #shared: Azure.StorageSharedKeyCredential | undefined;
  #signing: Promise<SigningKey> | undefined;

  constructor(azure: typeof Azure, settings: AzureContainer, tokens: TokensFor | undefined) {
    const { account, key, endpoint, container } = settings;
    this.#azure = azure;
    this.#settings = settings;
    this.#shared = key && new azure.StorageSharedKeyCredential(account, key.expose());
    const credential = this.#shared ?? azureTokenCredential(tokens ?? noTokens);
    this.#service = new azure.BlobServiceClient(endpoint, credential, { retryOptions });
    this.#container = this.#service.getContainerClient(container);
  }

  async put(name: string, bytes: Buffer, properties: ObjectProperties, signal: AbortSignal): Promise<void> {
    const options = { ...written(properties), abortSignal: limited(signal) };
    await atStore(this.#blob(name).upload(bytes, bytes.length, options));
  }

  upload(name: string, properties: ObjectProperties): ObjectUpload {
    const blob = this.#blob(name);
    const blocks: string[] = [];
    return {
      async add(part, signal) {
        // All ids of a blob must have the same length.
        const block = Buffer.from(String(blocks.length).padStart(6, '0')).toString('base64');
        await atStore(blob.stageBlock(block, part, part.length, { abortSignal: limited(signal) }));
        blocks.push(block);
      },
      async commit(signal) {
        await atStore(blob.commitBlockList(blocks, { ...written(properties), abortSignal: limited(signal) }));
      },
      // Azure removes blocks that belong to no blob after a week.
      async abort() {},
    };
  }

  async head(name: string, signal: AbortSignal): Promise<ObjectHead | undefined> {
    try {
      const found = await this.#blob(name).getProperties({ abortSignal: limited(signal) });
      const { contentType, contentLength = 0, metadata } = found;
      return { contentType, length: contentLength, expiresAt: expiryOf(metadata) };
    } catch (error) {
      const failure = objectStoreError(error);
      if (failure.status === 404) return undefined;
      throw failure;
    }
  }

  async read(name: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
    const { first = 0, last } = range ?? {};
    const length = last === undefined ? undefined : last - first + 1;
    const response = await atStore(
      untilHead(signal, (abortSignal) =>
        this.#blob(name).download(first, length, { abortSignal, maxRetryRequests: 3 }),
      ),
    );
    return response.readableStreamBody as Readable;
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await atStore(this.#blob(name).deleteIfExists({ abortSignal: limited(signal) }));
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    try {
      for await (const { name, metadata, properties } of this.#container.listBlobsFlat({
        prefix,
        includeMetadata: true,
        abortSignal: signal,
      })) {
        yield { name, expiresAt: expiryOf(metadata), modifiedAt: properties.lastModified.getTime() };
      }
    } catch (error) {
      throw objectStoreError(error);
    }
  }

  async link(name: string, expiresAt: number): Promise<string> {
    const { account, container } = this.#settings;
    const blob = this.#blob(name);
    const { BlobSASPermissions, SASProtocol, generateBlobSASQueryParameters } = this.#azure;
    const allowed = {
      containerName: container,
      blobName: name,
      permissions: BlobSASPermissions.parse('r'),
      ...(blob.url.startsWith('https:') && { protocol: SASProtocol.Https }),
    };
    const until = (latest: number) => new Date(Math.min(expiresAt, latest));
    if (this.#shared !== undefined) {
      const values = { ...allowed, expiresOn: until(Date.now() + maxLinkMs) };
      return `${blob.url}?${generateBlobSASQueryParameters(values, this.#shared)}`;
    }
    const signing = await this.#signingKey();
    const values = { ...allowed, expiresOn: until(signing.until) };
    return `${blob.url}?${generateBlobSASQueryParameters(values, signing.key, account)}`;
  }

  /** One key for all links, which Azure gives to whoever has the role Storage Blob Delegator. */
  async #signingKey(): Promise<SigningKey> {
    const current = this.#signing;
    const held = await current?.catch(() => undefined);
    if (held !== undefined && Date.now() < held.renewAt) return held;
    // Another link has asked for one meanwhile.
    if (this.#signing !== current) return this.#signingKey();
    const renewed = this.#askForKey().catch((error) => {
      if (held === undefined || Date.now() > held.until - renewKeyMs) throw error;
      return { ...held, renewAt: Date.now() + retryKeyMs };
    });
    this.#signing = renewed;
    return renewed;
  }

  async #askForKey(): Promise<SigningKey> {
    const now = Date.now();
    const [from, until] = [now - skewMs, now - skewMs + maxLinkMs];
    const abortSignal = limited(AbortSignal.any([]));
    const key = await atStore(this.#service.getUserDelegationKey(new Date(from), new Date(until), { abortSignal }));
    return { key, until, renewAt: now + renewKeyMs };
  }

  #blob(name: string): Azure.BlockBlobClient {
    return this.#container.getBlockBlobClient(name);
  }

  /** Its connections end by themselves. */
  close(): void {}
}

function written(properties: ObjectProperties) {
  const blobHTTPHeaders = { blobContentType: properties.contentType, blobContentDisposition: 'inline' };
  return { blobHTTPHeaders, metadata: metadataOf(properties) };
}

function noTokens(): never {
  throw new TypeError('there is neither a key nor a way to tokens');
}
