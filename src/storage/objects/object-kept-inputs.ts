import { randomBytes } from 'node:crypto';
import type { Semaphore } from '../../concurrency/semaphore.ts';
import { SharedBudget } from '../../concurrency/shared-budget.ts';
import type { EditInputs, InputReader, StoredBytes } from '../../domain/image-input.ts';
import type { KeptInputs } from '../../domain/kept-inputs.ts';
import { inputsNotKept, maxKeptBytes } from '../kept-input-directory.ts';
import { onDisk, storageFull } from '../storage-failure.ts';
import type { ObjectBucket, ObjectProperties } from './object-bucket.ts';
import { PartSender, partPermits } from './part-sender.ts';
import { readableLater } from './readable-later.ts';

const namePattern = /^[\w-]{24}$/;

type ObjectKeptInputsParts = {
  readonly bucket: ObjectBucket;
  /** How long a job may wait. */
  readonly lifetimeMs: () => number;
  /** Unix time in milliseconds. */
  readonly now?: (() => number) | undefined;
  /** One for each part that is in memory. Default: {@link partPermits} of its own. */
  readonly permits?: Semaphore;
  /** The most that the inputs of this process's jobs may use together. */
  readonly maxBytes?: number;
};

/** Inputs in the object store, so that every gateway that shares it can run the job: `inputs/<name>/<sha256>`. */
export function createObjectKeptInputs(parts: ObjectKeptInputsParts): KeptInputs {
  return new KeptInputObjects(parts);
}

class KeptInputObjects implements KeptInputs {
  readonly #parts: ObjectKeptInputsParts;
  readonly #permits: Semaphore;
  readonly #bytes: SharedBudget;
  /** Frees what the inputs of this process's jobs have reserved. */
  readonly #reserved = new Map<string, () => void>();

  constructor(parts: ObjectKeptInputsParts) {
    this.#parts = parts;
    this.#bytes = new SharedBudget(parts.maxBytes ?? maxKeptBytes);
    this.#permits = parts.permits ?? partPermits(parts.bucket);
  }

  async keep(consumer: string, { images, mask, markup, inputs }: EditInputs): Promise<string> {
    const all = [...images, mask, markup].filter((input) => input !== undefined);
    const distinct = new Map(all.map((input) => [input.sha256, input]));
    const name = randomBytes(18).toString('base64url');
    const { now = Date.now, lifetimeMs } = this.#parts;
    const reservation = this.#bytes.open(consumer);
    if (!reservation.grow([...distinct.values()].reduce((sum, { size }) => sum + size, 0))) throw storageFull();
    this.#reserved.set(name, reservation.release);
    const properties = { contentType: 'application/octet-stream', expiresAt: now() + lifetimeMs(), isKept: true };
    try {
      for (const input of distinct.values()) await onDisk(this.#send(name, input, inputs, properties), inputsNotKept);
    } catch (error) {
      await this.#remove(name);
      throw error;
    }
    return name;
  }

  async #send(name: string, input: StoredBytes, from: InputReader, properties: ObjectProperties): Promise<void> {
    const chunks = new ChunkReader(from.open(input));
    const sender = new PartSender({
      bucket: this.#parts.bucket,
      name: objectName(name, input),
      permits: this.#permits,
      read: (_position, length) => chunks.read(length),
      describe: () => properties,
    });
    try {
      await sender.finish(input.size, AbortSignal.any([]));
    } catch (error) {
      await sender.abort();
      throw error;
    } finally {
      await chunks.close();
    }
  }

  open(name: string | undefined) {
    const isName = name !== undefined && namePattern.test(name);
    return {
      open: (input: StoredBytes) =>
        readableLater((signal) => this.#parts.bucket.read(objectName(isName ? name : '', input), undefined, signal)),
      release: async () => {
        if (isName) await this.#remove(name);
      },
    };
  }

  /** Another gateway may be about to record the job that needs them: the sweep removes them when they expire. */
  async removeUnused(): Promise<void> {}

  /** Never rejects: what cannot be removed expires. */
  async #remove(name: string): Promise<void> {
    const { bucket } = this.#parts;
    const signal = AbortSignal.any([]);
    try {
      for await (const object of bucket.list(`inputs/${name}/`, signal)) await bucket.remove(object.name, signal);
    } catch {}
    this.#reserved.get(name)?.();
    this.#reserved.delete(name);
  }
}

function objectName(name: string, { sha256 }: StoredBytes): string {
  return `inputs/${name}/${sha256}`;
}

/** Cuts a stream of chunks into parts of the lengths that are asked for. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Fewer bytes where the stream ends. */
  async read(length: number): Promise<Buffer> {
    const part = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) break;
        this.#rest = next.value;
      }
      const copied = this.#rest.copy(part, filled);
      this.#rest = this.#rest.subarray(copied);
      filled += copied;
    }
    return part.subarray(0, filled);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
