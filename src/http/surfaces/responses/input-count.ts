import { GatewayError } from '../../../domain/gateway-error.ts';
import { maxInputs } from '../../../domain/image-input.ts';
import { invalidMember } from '../../uploads/member-name.ts';
import type { ImageSource } from '../../uploads/receive-input.ts';

/** A legal prompt can be this long when every character of it is escaped. */
export const maxKeptText = 256 * 1024;

/** An image of the input: its bytes, a link to them, or the call that has made it. */
export type InputImage = ImageSource | { readonly item: string };

/** Counts what is kept of a body: its images, and every text but those that an image model has no use for. */
export class InputCount {
  #length = 0;
  #images = 0;

  /** Throws a GatewayError when everything that is kept is too long together. */
  countText(value: unknown): void {
    this.#length += typeof value === 'string' ? value.length : JSON.stringify(value).length;
    if (this.#length <= maxKeptText) return;
    throw new GatewayError('request_too_large', `The texts of the request are longer than ${maxKeptText} characters.`);
  }

  /** Throws a GatewayError for more images than an edit takes. */
  countImage(): void {
    this.#images += 1;
    if (this.#images > maxInputs) throw invalidMember('input', `may have ${maxInputs} images at most`);
  }
}
