/** The entry of a list of sizes that stands for every size within the pixel rule. */
export const anySizeWithinRule = 'WxH';

/** In pixels. Azure's documents of gpt-image-2 (CONTRACTS §4). */
const rule = { multipleOf: 16, maxEdge: 3840, ratio: 3, minPixels: 655_360, maxPixels: 8_294_400 };

/** The rule in words, for messages and documents. */
export const pixelRule = `any ${anySizeWithinRule} with edges that are multiples of ${rule.multipleOf} and at most ${rule.maxEdge}, a ratio of at most ${rule.ratio}:1, and ${rule.minPixels} to ${rule.maxPixels} pixels`;

/** Whether a text is a `WxH` that newer GPT image models can make. */
export function isWithinPixelRule(size: string): boolean {
  const match = /^([1-9]\d{1,3})x([1-9]\d{1,3})$/.exec(size);
  if (match === null) return false;
  const [width, height] = [Number(match[1]), Number(match[2])];
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const pixels = width * height;
  return (
    width % rule.multipleOf === 0 &&
    height % rule.multipleOf === 0 &&
    long <= rule.maxEdge &&
    long <= rule.ratio * short &&
    pixels >= rule.minPixels &&
    pixels <= rule.maxPixels
  );
}
