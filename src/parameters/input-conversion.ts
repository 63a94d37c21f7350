import { GatewayError } from '../domain/gateway-error.ts';
import type { ConvertedFormat } from '../domain/image-conversion.ts';
import { type InputMediaType, type InputReference, maxInputBytes } from '../domain/image-input.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import type { AdaptationName } from './adaptations.ts';

type Taking = Pick<ModelCapabilities, 'inputTypes'>;

/** Photos, which are many times as long as PNG; a JPEG is about as short. */
export const photoTypes: readonly InputMediaType[] = ['image/heic', 'image/avif'];

/** What an image of an edit becomes for a family that does not take its type; `undefined`: nothing, or nothing that it takes. */
export function inputConversion(image: InputReference, family: Taking): ConvertedFormat | undefined {
  if (family.inputTypes.includes(image.type)) return undefined;
  return formatsFor(image).find((format) => family.inputTypes.includes(`image/${format}`));
}

/** In the order in which they are preferred. */
function formatsFor({ type, hasAlpha, width, height }: InputReference): readonly ConvertedFormat[] {
  if (hasAlpha) return ['png'];
  // As PNG it could become longer than an image may be.
  const isLarge = width * height * 3 > maxInputBytes;
  return photoTypes.includes(type) || isLarge ? ['jpeg', 'png'] : ['png', 'jpeg'];
}

/**
 * What has to be done with the images of an edit, as it is reported. Throws a GatewayError for an image that the family cannot
 * get.
 */
export function adaptInputTypes(
  images: readonly InputReference[],
  family: Taking,
  { policy, canConvert }: { readonly policy: 'adapt' | 'strict'; readonly canConvert: boolean },
): readonly AdaptationName[] {
  const names = new Set<AdaptationName>();
  for (const image of images) {
    if (family.inputTypes.includes(image.type)) continue;
    const format = inputConversion(image, family);
    if (format === undefined || policy === 'strict') throw typeNotTaken(image, family);
    if (!canConvert) throw noConverter(image, family);
    // The list has a name for each type that is converted.
    names.add(`image=${nameOf(image.type)}>${format}` as AdaptationName);
  }
  return [...names];
}

/** Whether what is done for a request converts images of its edit. */
export function convertsInputs(adaptations: readonly AdaptationName[]): boolean {
  return adaptations.some((name) => name.startsWith('image='));
}

function nameOf(type: InputMediaType): string {
  return type.slice('image/'.length);
}

function typeNotTaken({ type }: InputReference, { inputTypes }: Taking, more = ''): GatewayError {
  const message = `'image' is ${type}, and this model takes ${inputTypes.join(', ')}.${more}`;
  return new GatewayError('invalid_image_file', message, { param: 'image' });
}

function noConverter(image: InputReference, family: Taking): GatewayError {
  const more = ' The gateway could convert it if its operator installed the optional package sharp.';
  return typeNotTaken(image, family, more);
}
