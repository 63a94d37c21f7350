import type { Tokens } from '../domain/bill.ts';
import type { ImageUsage } from '../domain/image-event.ts';

/**
 * The tokens that an upstream has counted (CONTRACTS §2.1); `undefined` where it does not say of which kind they were.
 * Without details, all tokens of a request without images are text, and those of an answer are images.
 */
export function readTokens(usage: ImageUsage | undefined, { isEdit }: { isEdit: boolean }): Tokens | undefined {
  const asked = objectOf(usage?.input_tokens_details);
  const made = objectOf(usage?.output_tokens_details);
  const textIn = asked ? countOf(asked.text_tokens ?? 0) : isEdit ? undefined : countOf(usage?.input_tokens);
  const imageIn = countOf(asked?.image_tokens ?? 0);
  const cachedIn = countOf(asked?.cached_tokens ?? 0);
  const textOut = countOf(made?.text_tokens ?? 0);
  const imageOut = countOf(made ? made.image_tokens : usage?.output_tokens);
  if (textIn === undefined || imageIn === undefined || cachedIn === undefined) return undefined;
  if (textOut === undefined || imageOut === undefined || cachedIn > textIn + imageIn) return undefined;
  return { textIn, imageIn, cachedIn, textOut, imageOut };
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function objectOf(value: unknown): ImageUsage | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ImageUsage) : undefined;
}
