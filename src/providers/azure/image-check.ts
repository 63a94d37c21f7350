import { Base64Check } from '../../codec/base64.ts';
import { imageHeaderCharacters, imageMediaType } from '../../codec/image-header.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';

/** Checks the base64 of an image while it passes: what is not base64 would break the JSON that it is written into. */
export class ImageCheck {
  readonly #base64 = new Base64Check();
  #header: Buffer = Buffer.alloc(0);

  /** Throws `upstream_invalid_response` as soon as this can be no image. To be called before the chunk is handed on. */
  add(chunk: Buffer): void {
    if (!this.#base64.add(chunk)) throw invalidResponse('an image is not base64');
    if (this.#header.length >= imageHeaderCharacters) return;
    this.#header = Buffer.concat([this.#header, chunk.subarray(0, imageHeaderCharacters)]);
    if (this.#header.length >= imageHeaderCharacters) this.#judgeHeader();
  }

  /** To be called at the end of the image. Throws `upstream_invalid_response` when it cannot end here. */
  judge(): void {
    if (this.#header.length < imageHeaderCharacters) this.#judgeHeader();
    if (!this.#base64.isComplete) throw invalidResponse('the base64 of an image is cut, or not padded as it must be');
  }

  #judgeHeader(): void {
    const bytes = Buffer.from(this.#header.toString('latin1', 0, imageHeaderCharacters), 'base64');
    if (imageMediaType(bytes) === undefined) throw invalidResponse('the bytes are not an image');
  }
}
