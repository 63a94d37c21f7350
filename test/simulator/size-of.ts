import sharp from 'sharp';

/** Format and size of an image, such as `png 1024x1024`. */
export async function sizeOf(base64: string): Promise<string> {
  const { width, height, format } = await sharp(Buffer.from(base64, 'base64')).metadata();
  return `${format} ${width}x${height}`;
}
