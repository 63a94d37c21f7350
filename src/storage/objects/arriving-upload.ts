import type { ArrivingImage, StoredImage } from '../../domain/image-store.ts';
import type { Retrying } from '../../domain/retrying.ts';
import type { PartSender } from './part-sender.ts';

type ArrivingUploadParts = {
  /** Where it arrives, and is read from. */
  readonly local: ArrivingImage;
  readonly sender: PartSender;
  /** Whether the object store can be expected to take anything at the moment. */
  readonly isWorthwhile: () => boolean;
  /** Ends all uploads. */
  readonly closed: AbortSignal;
  /**
   * The image is durable in the local directory. Resolves when the object store has it, too, or when it is clear that it will
   * have it later. Never rejects.
   * @param send sends the rest of it, however long that takes; `undefined`: it is not worth while
   */
  readonly stored: (image: StoredImage, send: (() => Promise<void>) | undefined) => Promise<StoredImage>;
};

/** An image on its way to the object store: it is uploaded from the local file while it arrives there. */
export class ArrivingUpload implements ArrivingImage {
  readonly #parts: ArrivingUploadParts;
  readonly #ended = new AbortController();
  /** Parts that are being sent. */
  #sending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #committing: Promise<StoredImage> | undefined;
  /** The rest is being sent. */
  #finishing: Promise<void> | undefined;
  #isFinishing = false;
  readonly #signal: AbortSignal;

  constructor(parts: ArrivingUploadParts) {
    this.#parts = parts;
    this.#signal = AbortSignal.any([parts.closed, this.#ended.signal]);
  }

  get written(): number {
    return this.#parts.local.written;
  }

  async write(bytes: Buffer, retrying?: Retrying): Promise<void> {
    await this.#parts.local.write(bytes, retrying);
    this.#sendParts();
  }

  #sendParts(): void {
    const { sender, isWorthwhile } = this.#parts;
    if (this.#sending !== undefined || this.#failure !== undefined || this.#signal.aborted) return;
    // Without a part sent, the object store may have failed for others meanwhile.
    if (sender.sent === 0 && !isWorthwhile()) return;
    this.#sending = sender
      .sendFull(() => this.written, this.#signal)
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#sending = undefined;
      });
  }

  read(position: number, length: number): Promise<Buffer> {
    return this.#parts.local.read(position, length);
  }

  commit(retrying?: Retrying): Promise<StoredImage> {
    this.#committing ??= this.#commit(retrying);
    return this.#committing;
  }

  async #commit(retrying: Retrying | undefined): Promise<StoredImage> {
    const { local, sender, isWorthwhile, stored } = this.#parts;
    try {
      const image = await local.commit(retrying);
      if (sender.sent === 0 && !isWorthwhile()) return await stored(image, undefined);
      return await stored(image, () => {
        this.#finishing = this.#finish(image.length);
        return this.#finishing;
      });
    } finally {
      // Otherwise it goes on after the commit, if it takes too long.
      if (this.#finishing === undefined) void this.#giveUp();
    }
  }

  async #finish(length: number): Promise<void> {
    this.#isFinishing = true;
    try {
      await this.#sending;
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#parts.sender.finish(length, this.#signal);
    } catch (error) {
      void this.#giveUp();
      throw error;
    } finally {
      this.#isFinishing = false;
    }
  }

  /** Never rejects. */
  async #giveUp(): Promise<void> {
    this.#ended.abort();
    await this.#sending;
    await this.#parts.sender.abort();
  }

  async discard(): Promise<void> {
    if (this.#committing !== undefined) {
      await this.#committing.catch(() => {});
      return;
    }
    void this.#giveUp();
    await this.#parts.local.discard();
  }

  async close(): Promise<void> {
    await this.discard();
    // What is still sent is read from the descriptor, and nobody waits for that.
    if (this.#isFinishing) void this.#finishing?.catch(() => {}).then(() => this.#parts.local.close());
    else await this.#parts.local.close();
  }
}
