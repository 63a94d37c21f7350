import type { ArrivingImage, StoredImage } from '../../domain/image-store.ts';
import type { Retrying } from '../../domain/retrying.ts';
import type { PartSender } from './part-sender.ts';

type ArrivingUploadParts = {
  /** Where it arrives, and is read from. */
  readonly local: ArrivingImage;
  readonly sender: PartSender;
  /** Whether the object store can be expected to take anything at the moment. */
  readonly isWorthwhile: () => boolean;
  /**
   * The image is durable in the local directory. Resolves when the object store has it, too, or when it is clear that it will
   * have it later. Never rejects.
   * @param send sends the rest of it; `undefined`: it is not worth while
   */
  readonly stored: (
    image: StoredImage,
    send: ((signal: AbortSignal) => Promise<void>) | undefined,
  ) => Promise<StoredImage>;
};

/** An image on its way to the object store: it is uploaded from the local file while it arrives there. */
export class ArrivingUpload implements ArrivingImage {
  readonly #parts: ArrivingUploadParts;
  readonly #ended = new AbortController();
  /** Parts that are being sent. */
  #sending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #committing: Promise<StoredImage> | undefined;
  /** The object store has all of it. */
  #isSent = false;

  constructor(parts: ArrivingUploadParts) {
    this.#parts = parts;
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
    if (this.#sending !== undefined || this.#failure !== undefined || this.#ended.signal.aborted) return;
    // Without a part sent, the object store may have failed for others meanwhile.
    if (sender.sent === 0 && !isWorthwhile()) return;
    this.#sending = sender
      .sendFull(() => this.written, this.#ended.signal)
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
      const isSent = sender.sent > 0 || isWorthwhile();
      return await stored(image, isSent ? (signal) => this.#finish(image.length, signal) : undefined);
    } finally {
      void this.#endUpload();
    }
  }

  async #finish(length: number, signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#ended.abort(signal.reason), { once: true });
    await this.#sending;
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#parts.sender.finish(length, this.#ended.signal);
    this.#isSent = true;
  }

  /** Never rejects. */
  async #endUpload(): Promise<void> {
    if (this.#isSent) return;
    this.#ended.abort();
    await this.#sending;
    await this.#parts.sender.abort();
  }

  async discard(): Promise<void> {
    if (this.#committing !== undefined) {
      await this.#committing.catch(() => {});
      return;
    }
    void this.#endUpload();
    await this.#parts.local.discard();
  }

  async close(): Promise<void> {
    await this.discard();
    await this.#parts.local.close();
  }
}
