/** How many bytes of a file `imageMediaType` needs to see. */
export const imageHeaderBytes = 12;

/** So many base64 characters hold those bytes. */
export const imageHeaderCharacters = (imageHeaderBytes / 3) * 4;

/**
 * The media type of an image by its first bytes (PNG, JPEG, GIF, WebP signatures; SVG by its opening tag),
 * or `undefined` for anything else.
 */
export function imageMediaType(header: Buffer): string | undefined {
  const text = header.toString('latin1');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'image/gif';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp';
  if (text.startsWith('<svg') || text.startsWith('<?xml')) return 'image/svg+xml';
  return undefined;
}

/** How the name of a file of this media type ends. */
export function imageExtension(mediaType: string): string {
  return mediaType.replace(/^image\/|\+xml$/g, '').replace('jpeg', 'jpg');
}
