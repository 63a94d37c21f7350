import { dataUrlLength } from '../codec/data-url.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { EditInputs, InputReference } from '../domain/image-input.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import { type FitRule, unchanged } from './fit.ts';
import { unsupportedParameter } from './refusals.ts';

/** What the family says about the images of an edit. */
export const fitInputs: FitRule = ({ edit }, { maxInputs, markup }) => {
  if (edit === undefined) return unchanged;
  if (edit.images.length > maxInputs) {
    const message = `'image' has ${edit.images.length} images, and this model takes at most ${maxInputs}.`;
    throw new GatewayError('invalid_value', message, { param: 'image' });
  }
  if (edit.markup !== undefined && !markup) throw unsupportedParameter('markup');
  return unchanged;
};

/** Checks how long an image may be where it is sent as a data URL, before anything is paid for. Throws a GatewayError. */
export function checkLength({ images, mask }: EditInputs, { maxInlineImageChars }: ModelCapabilities): void {
  const isTooLong = (image: InputReference) => dataUrlLength(image) > maxInlineImageChars;
  if (images.some(isTooLong)) throw tooLong('image', maxInlineImageChars);
  if (mask && isTooLong(mask)) throw tooLong('mask', maxInlineImageChars);
}

function tooLong(param: 'image' | 'mask', maxInlineImageChars: number): GatewayError {
  const bytes = Math.floor((maxInlineImageChars * 3) / 4);
  const message = `'${param}' is too large: this model takes images of at most about ${bytes} bytes.`;
  return new GatewayError('invalid_value', message, { param });
}

/**
 * Checks what OpenAI's API demands of the images of any edit, before anything is paid for: a mask, or a markup, is a
 * PNG with transparent pixels, as large as the first image (CONTRACTS §1.3). Throws a GatewayError.
 */
export function checkInputs({ images: [first], mask, markup }: EditInputs): void {
  if (mask !== undefined && markup !== undefined) {
    throw new GatewayError('invalid_value', "'mask' and 'markup' cannot be combined.", { param: 'markup' });
  }
  if (first === undefined) return;
  if (mask !== undefined) checkOverlay('mask', mask, first);
  if (markup !== undefined) checkOverlay('markup', markup, first);
}

function checkOverlay(param: 'mask' | 'markup', overlay: InputReference, image: InputReference): void {
  const refuse = (reason: string) => new GatewayError('invalid_image_file', `'${param}' ${reason}.`, { param });
  if (overlay.type !== 'image/png') throw refuse(`must be a PNG, and this one is ${overlay.type}`);
  if (!overlay.hasAlpha) throw refuse('must have an alpha channel, whose transparent pixels mark what it is about');
  if (overlay.width !== image.width || overlay.height !== image.height) {
    const sizes = `${overlay.width}x${overlay.height}, and the image is ${image.width}x${image.height}`;
    throw refuse(`must be as large as the first image: it is ${sizes}`);
  }
}
