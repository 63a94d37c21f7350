import { imageHeaderCharacters, imageMediaType } from '../domain/image-header.ts';
import { invalidResponse } from '../upstream/paid-call-error.ts';

/** Looks at the beginning of a picture while its base64 passes. */
export class PictureCheck {
  #header: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): void {
    if (this.isReady) return;
    this.#header = Buffer.concat([this.#header, chunk.subarray(0, imageHeaderCharacters)]);
  }

  /** True once there is enough to judge. */
  get isReady(): boolean {
    return this.#header.length >= imageHeaderCharacters;
  }

  /** Throws `upstream_invalid_response` when what has passed is not the beginning of an image. */
  judge(): void {
    const bytes = Buffer.from(this.#header.toString('latin1', 0, imageHeaderCharacters), 'base64');
    if (imageMediaType(bytes) === undefined) throw invalidResponse('the bytes are not an image');
  }
}
