import { type AnswerBody, imageMarker, jsonBody } from './answer-body.ts';
import { filteredImage } from './azure-errors.ts';
import { drawImage } from './draw-image.ts';
import { extraMembers } from './extra-members.ts';
import { type ImageJob, imageOrdersOf } from './image-job.ts';

/** The members of a JSON object. */
export type Members = Record<string, unknown>;

const tokensOfPartial = 100;
const tokensOfInput = 250;
const safe = { filtered: false, severity: 'safe' };
const contentFilterResults = { sexual: safe, violence: safe, hate: safe, self_harm: safe };
const promptFilterResults = {
  ...contentFilterResults,
  profanity: { detected: false, filtered: false },
  custom_blocklists: { filtered: false, details: [] },
};
/** An item that the safety system took away. */
export const filteredItem = { error: filteredImage };

/** How the answer refers to its images, and whether it repeats the request's settings. */
export type ImagesAnswerOptions = {
  /** The links of the images, in order, when the job wants urls. */
  readonly links: readonly string[];
  readonly withEcho: boolean;
};

/** Builds the body of a successful call on the deployments or the v1 path (CONTRACTS §3.2, §3.3), scenario included. */
export async function imagesAnswer(job: ImageJob, options: ImagesAnswerOptions): Promise<AnswerBody> {
  const { scenario } = job;
  const isEmpty = scenario.name === 'empty-data';
  const needsImages = !job.asUrl && !isEmpty;
  const images = needsImages ? await Promise.all(imageOrdersOf(job).map(drawImage)) : [];
  const items = Array.from({ length: job.count }, (_, index) => itemOf(job, options.links[index]));
  // The last one, so that a reader which stops at the first item is caught.
  if (scenario.name === 'filter-item') items[items.length - 1] = filteredItem;
  const members: Members = {
    ...(scenario.name === 'no-created' ? {} : { created: Math.floor(Date.now() / 1000) }),
    ...(scenario.name === 'extra-fields' ? extraMembers() : {}),
    data: isEmpty ? [] : items,
    ...(job.family.kind === 'gpt-image' ? gptImageMembers(job, options) : {}),
  };
  return jsonBody(members, images, scenario.name === 'escaped' ? 'escaped' : 'usual');
}

function itemOf(job: ImageJob, link: string | undefined): Members {
  const image = job.asUrl ? { url: link } : { b64_json: imageMarker };
  const filters = { content_filter_results: contentFilterResults, prompt_filter_results: promptFilterResults };
  const extra = job.scenario.name === 'extra-fields' ? { provenance: { model: job.family.name, steps: [1, 2] } } : {};
  // CONTRACTS §3.2: dall-e-3 rewrites the prompt; §3.3: v1 adds filter results to every item.
  if (job.family.kind === 'dall-e-3') {
    return { revised_prompt: `A vivid, natural image of ${job.prompt}`, ...extra, ...image, ...filters };
  }
  return job.flow === 'azure-v1' ? { ...extra, ...image, ...filters } : { ...extra, ...image };
}

/** CONTRACTS §2.1 and §3.2: usage always; the echo fields only where the caller of this function says so. */
function gptImageMembers(job: ImageJob, { withEcho }: ImagesAnswerOptions): Members {
  return withEcho ? { ...echoOf(job), usage: usageOf(job) } : { usage: usageOf(job) };
}

/** The settings that Azure repeats, always definite (CONTRACTS §2.1). */
export function echoOf({ size, quality, background, format }: ImageJob): Members {
  return { size, quality, background, output_format: format };
}

/** Invents the tokens of a job. CONTRACTS §3.2: each partial image that was sent is billed, too. */
export function usageOf(job: ImageJob, partials = 0): Members {
  const textTokens = Math.ceil(job.prompt.length / 4);
  const imageTokens = tokensOfInput * (job.edited?.inputs ?? 0);
  const inputTokens = textTokens + imageTokens;
  const [width = 0, height = 0] = job.size.split('x').map(Number);
  const outputTokens = Math.ceil((width * height) / 256) * job.count + tokensOfPartial * partials;
  return {
    total_tokens: inputTokens + outputTokens,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    input_tokens_details: { text_tokens: textTokens, image_tokens: imageTokens },
  };
}
