import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SharedBudget } from '../concurrency/shared-budget.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { EditInputs, InputReader, StoredBytes } from '../domain/image-input.ts';
import type { KeptInputs } from '../domain/kept-inputs.ts';
import { prepareDirectory, syncDirectory } from './data-directory.ts';
import { onDisk, storageFull } from './storage-failure.ts';

/** The most that the kept inputs of this process's jobs may use together; those of one consumer may use half of it. */
export const maxKeptBytes = 5_000_000_000;

const namePattern = /^[\w-]{24}$/;

/** A directory in which each job has one of its own, with a file for each of its inputs, called by its SHA-256. */
export function createKeptInputs(directory: string, diskBytes = maxKeptBytes): KeptInputs {
  return new KeptInputDirectory(directory, new SharedBudget(diskBytes));
}

class KeptInputDirectory implements KeptInputs {
  readonly #directory: string;
  readonly #disk: SharedBudget;
  /** Frees the disk that the inputs of this process's jobs have reserved. */
  readonly #reserved = new Map<string, () => void>();

  constructor(directory: string, disk: SharedBudget) {
    this.#directory = directory;
    this.#disk = disk;
  }

  async keep(consumer: string, { images, mask, markup, inputs }: EditInputs): Promise<string> {
    const all = [...images, mask, markup].filter((input) => input !== undefined);
    const distinct = [...new Map(all.map((input) => [input.sha256, input])).values()];
    const name = randomBytes(18).toString('base64url');
    const reservation = this.#disk.open(consumer);
    if (!reservation.grow(distinct.reduce((sum, { size }) => sum + size, 0))) throw storageFull();
    this.#reserved.set(name, reservation.release);
    try {
      await onDisk(this.#write(name, distinct, inputs), inputsNotKept);
    } catch (error) {
      await this.#remove(name);
      throw error;
    }
    return name;
  }

  open(name: string | undefined) {
    // A path is built from it.
    const isName = name !== undefined && namePattern.test(name);
    return {
      open: (input: StoredBytes) => createReadStream(join(this.#directory, isName ? name : '', input.sha256)),
      release: async () => {
        if (isName) await this.#remove(name);
      },
    };
  }

  async removeUnused(inUse: readonly string[]): Promise<void> {
    const used = new Set(inUse);
    // Without jobs there may be no directory.
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const [plain = ''] = name.split('.');
      if (namePattern.test(plain) && !used.has(name)) await this.#remove(name);
    }
  }

  /** The directory gets its name when all of it is durable. */
  async #write(name: string, inputs: readonly StoredBytes[], from: InputReader): Promise<void> {
    await prepareDirectory(this.#directory);
    const unfinished = join(this.#directory, `${name}.part`);
    await mkdir(unfinished, { mode: 0o700 });
    for (const input of inputs) await writeFile(join(unfinished, input.sha256), from.open(input));
    await syncDirectory(unfinished);
    await rename(unfinished, join(this.#directory, name));
    await syncDirectory(this.#directory);
  }

  async #remove(name: string): Promise<void> {
    for (const path of [name, `${name}.part`]) {
      await rm(join(this.#directory, path), { recursive: true, force: true }).catch(() => {});
    }
    this.#reserved.get(name)?.();
    this.#reserved.delete(name);
  }
}

async function writeFile(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of chunks) await file.appendFile(chunk);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Nothing is paid for yet. */
export function inputsNotKept(cause: unknown): GatewayError {
  return new GatewayError('storage_failed', 'An input of the job could not be stored by the gateway.', { cause });
}
