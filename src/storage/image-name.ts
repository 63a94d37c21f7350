import type { StoredImage } from '../domain/image-store.ts';

// What a browser may be given from here: never SVG or HTML, which carry scripts.
const subtypes = 'png|jpeg|gif|webp';
const mediaType = new RegExp(`^image/(?:${subtypes})$`);
const id = /^[\w-]{24}$/;
const name = new RegExp(`^([\\w-]{24})\\.(\\d{1,15})\\.(\\d{1,9})\\.([\\w-]{43})\\.(${subtypes})$`);

/** True for the media types that are kept and served. */
export function isHostable(type: string | undefined): type is string {
  return type !== undefined && mediaType.test(type);
}

/** True for text of the form of an id: 144 bits as base64url. */
export function isImageId(text: string): boolean {
  return id.test(text);
}

/**
 * The file name is the image's whole record: `id.expiry.length.tag.subtype`. So the one rename that makes an image
 * visible also commits what is known about it, and no crash can part the two.
 */
export function imageName({ id, expiresAt, length, tag, mediaType }: StoredImage): string {
  return `${id}.${expiresAt}.${length}.${tag}.${mediaType.slice('image/'.length)}`;
}

/** The record that a file name holds, or `undefined` for a name that is not ours. */
export function parseImageName(text: string): StoredImage | undefined {
  const [, id, expiresAt, length, tag, subtype] = name.exec(text) ?? [];
  if (id === undefined || tag === undefined) return undefined;
  return { id, mediaType: `image/${subtype}`, length: Number(length), tag, expiresAt: Number(expiresAt) };
}
