import type { InputStore, StoredBytes } from '../../domain/image-input.ts';

/**
 * A body that is recorded while it is read, so that it can be sent on from its first byte when its beginning has shown that it
 * is meant for somebody else. The store decides how much of it is held in memory.
 */
export class SpooledBody {
  readonly #body: AsyncIterator<Buffer>;
  readonly #store: InputStore;
  readonly #recorded: Promise<StoredBytes>;
  /** The next chunk for the store; `undefined` ends the recording. */
  #given = Promise.withResolvers<Buffer | undefined>();
  /** Settles when the store has taken it. */
  #taken = Promise.withResolvers<void>();
  #isRecording = true;

  /** @param store keeps nothing else; whoever has opened it releases it */
  constructor(body: AsyncIterable<Buffer>, store: InputStore) {
    this.#body = body[Symbol.asyncIterator]();
    this.#store = store;
    this.#recorded = store.put(this.#chunks());
    this.#recorded.catch((error) => this.#taken.reject(error));
  }

  /** The body while it arrives. Throws what it throws, and the errors of the store. */
  async *read(): AsyncGenerator<Buffer> {
    try {
      for (let next = await this.#body.next(); !next.done; next = await this.#body.next()) {
        if (this.#isRecording) await this.#record(next.value);
        yield next.value;
      }
    } finally {
      await this.#body.return?.();
    }
  }

  /** It will not be replayed. */
  stopRecording(): void {
    this.#isRecording = false;
  }

  /** Everything from the first byte on: what was read, and then the rest while it arrives. To be called once, between two chunks. */
  async *replay(): AsyncGenerator<Buffer> {
    this.#given.resolve(undefined);
    yield* this.#store.open(await this.#recorded);
    try {
      for (let next = await this.#body.next(); !next.done; next = await this.#body.next()) yield next.value;
    } finally {
      await this.#body.return?.();
    }
  }

  async #record(chunk: Buffer): Promise<void> {
    this.#given.resolve(chunk);
    await this.#taken.promise;
    this.#taken = Promise.withResolvers();
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    for (let chunk = await this.#given.promise; chunk !== undefined; chunk = await this.#given.promise) {
      yield chunk;
      this.#given = Promise.withResolvers();
      this.#taken.resolve();
    }
  }
}
