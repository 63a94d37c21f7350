import sharp from 'sharp';
import { expect } from 'vitest';

/** A square PNG of one colour, to be edited. */
export function inputImage(colour = 'teal', edge = 256): Promise<Buffer> {
  return sharp({ create: { width: edge, height: edge, channels: 3, background: colour } })
    .png()
    .toBuffer();
}

/** A mask for `inputImage`: transparent everywhere. */
export function inputMask(edge = 256): Promise<Buffer> {
  return sharp({ create: { width: edge, height: edge, channels: 4, background: '#00000000' } })
    .png()
    .toBuffer();
}

/** That the bytes are an image of this size, such as `1024x1024`, and of this format. */
export async function expectImage(bytes: Uint8Array, size: string, format = 'png'): Promise<void> {
  const { width, height, format: found } = await sharp(bytes).metadata();
  expect({ size: `${width}x${height}`, format: found }).toEqual({ size, format });
}

/** The same of base64. */
export function expectBase64(base64: string | null | undefined, size: string, format = 'png'): Promise<void> {
  return expectImage(Buffer.from(base64 ?? '', 'base64'), size, format);
}

/** The same of a link, which is followed without credentials unless headers are given. */
export async function expectLink(
  link: string | null | undefined,
  size: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const response = await fetch(link ?? 'about:blank', { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('image/png');
  await expectImage(Buffer.from(await response.arrayBuffer()), size);
}
