import type { ImageUsage } from '../../../domain/image-event.ts';

const counts = ['input_tokens', 'output_tokens', 'total_tokens'];
const details = ['input_tokens_details', 'output_tokens_details'];
const detailCounts = ['text_tokens', 'image_tokens'];

/**
 * The token counts as OpenAI's types have them, for clients that refuse anything else: details that lack a count are left
 * out, and so are all counts where one of the three is missing.
 */
export function clientUsage(usage: ImageUsage | undefined): ImageUsage | undefined {
  if (usage === undefined || !hasCounts(usage, counts)) return undefined;
  return Object.fromEntries(
    Object.entries(usage).filter(([name, value]) => !details.includes(name) || hasCounts(value, detailCounts)),
  );
}

function hasCounts(value: unknown, names: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof (value as ImageUsage)[name] === 'number')
  );
}
