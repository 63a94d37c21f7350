import type { ImageUsage } from '../../../domain/image-event.ts';
import { clientUsage } from '../openai-images/write-json.ts';

// Clients read these without asking whether they are there. An image model neither reasons nor has a cache of prompts.
const inputDetails = { cached_tokens: 0, cache_write_tokens: 0 };
const outputDetails = { reasoning_tokens: 0 };

/** Token counts as OpenAI's ResponseUsage, beside what Azure reports; `null` if it reports none. */
export function responseUsage(usage: ImageUsage | undefined): ImageUsage | null {
  const counts = clientUsage(usage);
  if (counts === undefined) return null;
  const { input_tokens_details: input, output_tokens_details: output } = counts as Readonly<Record<string, object>>;
  return {
    ...counts,
    input_tokens_details: { ...inputDetails, ...input },
    output_tokens_details: { ...outputDetails, ...output },
  };
}
