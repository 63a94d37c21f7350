import { dataUrlLength } from '../codec/base64.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { EditInputs, InputReference } from '../domain/image-input.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import { photoTypes } from './input-conversion.ts';
import { unsupportedParameter } from './parameter-rules.ts';

/**
 * What holds for the images of any edit, under every policy, before anything is paid for: a mask or a markup is a PNG with
 * transparent pixels, as large as the first image, as OpenAI's API reference demands; and no image is longer than the
 * target takes in a data URL. Throws a GatewayError.
 */
export function checkInputs(
  { images, mask, markup }: EditInputs,
  { maxInlineImageChars }: Pick<ModelCapabilities, 'maxInlineImageChars'>,
): void {
  if (mask !== undefined && markup !== undefined) {
    throw new GatewayError('invalid_value', "'mask' and 'markup' cannot be combined.", { param: 'markup' });
  }
  const [first] = images;
  if (first !== undefined && mask !== undefined) checkOverlay('mask', mask, first);
  if (first !== undefined && markup !== undefined) checkOverlay('markup', markup, first);
  const isTooLong = (image: InputReference) => dataUrlLength(image) > maxInlineImageChars;
  if (images.some(isTooLong)) throw tooLong('image', maxInlineImageChars);
  if (mask && isTooLong(mask)) throw tooLong('mask', maxInlineImageChars);
}

/** What the family says about the images of an edit. Throws a GatewayError. */
export function checkFamilyTakes({ images, mask, markup }: EditInputs, family: ModelCapabilities): void {
  if (images.length > family.maxInputs) {
    const message = `'image' has ${images.length} images, and this model takes at most ${family.maxInputs}.`;
    throw new GatewayError('invalid_value', message, { param: 'image' });
  }
  if (mask !== undefined && !family.mask) throw unsupportedParameter('mask');
  if (markup !== undefined && !family.markup) throw unsupportedParameter('markup');
}

function checkOverlay(param: 'mask' | 'markup', overlay: InputReference, image: InputReference): void {
  const refuse = (reason: string) => new GatewayError('invalid_image_file', `'${param}' ${reason}.`, { param });
  if (overlay.type !== 'image/png') throw refuse(`must be a PNG, and this one is ${overlay.type}`);
  if (!overlay.hasAlpha) throw refuse('must have an alpha channel, whose transparent pixels mark what it is about');
  // How a photo in these formats lies is only known when it is decoded; what it is converted to is checked again.
  if (photoTypes.includes(image.type)) return;
  if (overlay.width !== image.width || overlay.height !== image.height) {
    const sizes = `${overlay.width}x${overlay.height}, and the image is ${image.width}x${image.height}`;
    throw refuse(`must be as large as the first image: it is ${sizes}`);
  }
}

function tooLong(param: 'image' | 'mask', maxInlineImageChars: number): GatewayError {
  const bytes = Math.floor((maxInlineImageChars * 3) / 4);
  const message = `'${param}' is too large: this model takes images of at most about ${bytes} bytes.`;
  return new GatewayError('invalid_value', message, { param });
}
