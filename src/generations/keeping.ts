import { randomBytes } from 'node:crypto';
import type { ImageId, ImageStore } from '../domain/image-store.ts';
import type { Retrying } from '../domain/retrying.ts';
import type { KeepImage } from './keepable-events.ts';
import { KeptImage } from './kept-image.ts';
import { KeptResponse } from './kept-response.ts';

/**
 * Why a response is kept: its images are `hosted` for a client that wants links, the job is `kept`, so that its response can be
 * had again, or it is `passing`: its client reads its image twice.
 */
export type KeepReason = 'hosted' | 'kept' | 'passing';

/** A response that has reached its client may be evicted after so long, where there is no room for others. */
export const evictableAfterMs = 60 * 60_000;

type KeepingParts = {
  readonly images: ImageStore;
  /** Where clients get links: images are worth nothing to them unless they are stored. */
  readonly mustBeStored: Retrying | undefined;
  /** The readers that want the bytes of images, or of partial images. */
  readonly readers: (isPartial: boolean) => readonly object[];
};

/** Whether the response of a generation is kept, and from when on. */
export class Keeping {
  readonly #parts: KeepingParts;
  reason: KeepReason | undefined;
  #response: KeptResponse | undefined;

  constructor(parts: KeepingParts, reason: KeepReason | undefined) {
    this.#parts = parts;
    this.reason = reason;
  }

  /** Of no use as long as nothing is kept. */
  get response(): KeptResponse {
    this.#response ??= new KeptResponse();
    return this.#response;
  }

  /** A reader has left, or its response has ended. */
  readersChanged(): void {
    this.#response?.readersChanged();
  }

  /** Nobody reads the response any more, and nothing more comes. @param images those of the response */
  close(images: readonly ImageId[]): void {
    void this.#response?.close();
    if (this.reason === 'passing') void this.#parts.images.remove(images);
  }

  /** What readers read, if anything is kept. */
  get readable(): KeptResponse | undefined {
    return this.reason === undefined ? undefined : this.response;
  }

  /** Awaited before each paid call. Rejects with a GatewayError when its images could not be kept. */
  async makeRoom(): Promise<void> {
    if (this.reason !== undefined) await this.#parts.images.makeRoom();
  }

  readonly keepImage: KeepImage = (id, isPartial) => {
    const { images, mustBeStored, readers } = this.#parts;
    const file = images.receive(id ?? drawImageId(), { isKept: this.reason === 'kept', isPartial });
    return this.response.add(
      new KeptImage({
        file,
        writeBytes: () => images.writeBytes,
        mustBeStored: isPartial ? undefined : mustBeStored,
        readers: () => readers(isPartial),
      }),
    );
  };
}

/** 144 random bits as base64url. */
export function drawImageId(): ImageId {
  return randomBytes(18).toString('base64url');
}
