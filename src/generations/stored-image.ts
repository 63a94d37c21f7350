import { encodeBase64 } from '../codec/base64.ts';
import type { ImageEnd, ImageEvent } from '../domain/image-event.ts';
import type { OpenImage } from '../domain/image-store.ts';

/** The events of an image that is read from the store. @param end what is known of it */
export function* storedImage(
  image: OpenImage,
  { partials, ...end }: Omit<ImageEnd, 'type' | 'stored'> & { readonly partials?: number },
): Generator<ImageEvent> {
  const source = { read: () => encodeBase64(image.read()) };
  yield { type: 'image', index: end.index, isPartial: false, source, ...(partials && { partials }) };
  yield { ...end, type: 'image-end', stored: image };
}
