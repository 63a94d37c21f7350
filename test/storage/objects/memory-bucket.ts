import { Readable } from 'node:stream';
import type { ByteRange } from '../../../src/domain/image-store.ts';
import type {
  ListedObject,
  ObjectBucket,
  ObjectHead,
  ObjectProperties,
  ObjectUpload,
} from '../../../src/storage/objects/object-bucket.ts';
import { ObjectStoreError } from '../../../src/storage/objects/object-store-error.ts';

type Stored = { readonly bytes: Buffer; readonly properties: ObjectProperties; readonly modifiedAt: number };

/** The contract of a bucket without a network, with switches for what can go wrong. */
export class MemoryBucket implements ObjectBucket {
  partBytes = 1_000;
  readonly objects = new Map<string, Stored>();
  /** The status of every response from now on; `undefined`: requests succeed. */
  status: number | undefined;
  /** Awaited before a request is done. */
  before: ((operation: string) => Promise<void>) | undefined;
  /** Listings do not tell the expiry, as those of S3. */
  isForgetful = false;
  readonly requests: string[] = [];
  /** Bytes of parts that are being sent, now and at the most. */
  sending = 0;
  mostSending = 0;
  aborted = 0;

  async #request(operation: string, signal: AbortSignal, bytes = 0): Promise<void> {
    this.requests.push(operation);
    this.sending += bytes;
    this.mostSending = Math.max(this.mostSending, this.sending);
    try {
      signal.throwIfAborted();
      await this.before?.(operation);
      signal.throwIfAborted();
      if (this.status !== undefined) throw new ObjectStoreError({ status: this.status, code: 'Injected' });
    } finally {
      this.sending -= bytes;
    }
  }

  async put(name: string, bytes: Buffer, properties: ObjectProperties, signal: AbortSignal): Promise<void> {
    await this.#request('put', signal, bytes.length);
    this.objects.set(name, { bytes: Buffer.from(bytes), properties, modifiedAt: Date.now() });
  }

  upload(name: string, properties: ObjectProperties): ObjectUpload {
    const parts: Buffer[] = [];
    return {
      add: async (part, signal) => {
        await this.#request('part', signal, part.length);
        parts.push(Buffer.from(part));
      },
      commit: async (signal) => {
        await this.#request('commit', signal);
        this.objects.set(name, { bytes: Buffer.concat(parts), properties, modifiedAt: Date.now() });
      },
      abort: async () => {
        this.aborted += 1;
      },
    };
  }

  async head(name: string, signal: AbortSignal): Promise<ObjectHead | undefined> {
    await this.#request('head', signal);
    const found = this.objects.get(name);
    return found && { ...found.properties, length: found.bytes.length };
  }

  async read(name: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
    await this.#request('read', signal);
    const found = this.objects.get(name);
    if (found === undefined) throw new ObjectStoreError({ status: 404, code: 'NotFound' });
    const { first = 0, last = found.bytes.length - 1 } = range ?? {};
    return Readable.from([found.bytes.subarray(first, last + 1)]);
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#request('remove', signal);
    this.objects.delete(name);
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    await this.#request('list', signal);
    for (const [name, { properties, modifiedAt }] of [...this.objects]) {
      if (!name.startsWith(prefix)) continue;
      yield { name, expiresAt: this.isForgetful ? undefined : properties.expiresAt, modifiedAt };
    }
  }

  async link(name: string, expiresAt: number): Promise<string> {
    if (this.status !== undefined) throw new ObjectStoreError({ status: this.status, code: 'Injected' });
    return `https://store.test/${name}?until=${expiresAt}`;
  }

  close(): void {}
}
