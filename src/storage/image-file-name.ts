import type { StoredImage } from '../domain/image-store.ts';

/** An image and the name of its file. The name is never derived twice: earlier versions wrote other names. */
export type ImageFile = { readonly image: StoredImage; readonly isKept: boolean; readonly name: string };

// Never SVG or HTML: a browser would run the scripts in them.
const subtypes = 'png|jpeg|gif|webp';
const mediaTypePattern = new RegExp(`^image/(?:${subtypes})$`);
const idPattern = /^[\w-]{24}$/;

// Earlier versions wrote the SHA-256 of the bytes, which is 43 characters long, where `kept` may stand.
const namePattern = new RegExp(`^([\\w-]{24})\\.(\\d{1,15})\\.(\\d{1,9})(?:\\.(kept|[\\w-]{43}))?\\.(${subtypes})$`);

/** True for the media types that are kept and served. */
export function isHostable(type: string | undefined): type is string {
  return type !== undefined && mediaTypePattern.test(type);
}

/** True for text that could be an id: 144 bits as base64url. */
export function isImageId(text: string): boolean {
  return idPattern.test(text);
}

/**
 * The file of a new image. Its name is the image's whole record: `id.expiry.length[.kept].subtype`. So the one rename that
 * makes an image visible also commits what is known about it, and no crash can separate the two.
 */
export function imageFile(image: StoredImage, isKept: boolean): ImageFile {
  const { id, expiresAt, length, mediaType } = image;
  const subtype = mediaType.slice('image/'.length);
  return { image, isKept, name: `${id}.${expiresAt}.${length}${isKept ? '.kept' : ''}.${subtype}` };
}

/** Reads a file name; `undefined` for one that is not ours. */
export function parseImageName(name: string): ImageFile | undefined {
  const [, id, expiresAt, length, mark, subtype] = namePattern.exec(name) ?? [];
  if (id === undefined) return undefined;
  const image = { id, mediaType: `image/${subtype}`, length: Number(length), expiresAt: Number(expiresAt) };
  return { image, isKept: mark === 'kept', name };
}
