import { filteredImage } from './azure-errors.ts';
import { drawImage } from './draw-image.ts';
import { type ImageJob, imageOrdersOf } from './image-job.ts';
import { violatingItem } from './mai-errors.ts';
import { imageMarker, jsonBody, type ResponseBytes } from './response-bytes.ts';

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

/** How the response refers to its images, and whether it repeats the request's settings. */
type ImagesResponseOptions = {
  /** The links of the images, in order, when the job wants urls. */
  readonly links: readonly string[];
  readonly withEcho: boolean;
};

/** Builds the body of a successful call of a synchronous flow, scenario included. */
export async function imagesResponse(job: ImageJob, options: ImagesResponseOptions): Promise<ResponseBytes> {
  const { scenario } = job;
  const isEmpty = scenario.name === 'empty-data';
  const needsImages = !job.asUrl && !isEmpty;
  const images = needsImages ? await Promise.all(imageOrdersOf(job).map(drawImage)) : [];
  const items = Array.from({ length: job.count }, (_, index) => itemOf(job, options.links[index]));
  // The last one, so that a reader which stops at the first item is caught.
  if (scenario.name === 'filter-item') items[items.length - 1] = job.flow === 'mai' ? violatingItem : filteredItem;
  const members: Members = {
    ...(scenario.name === 'no-created' || job.flow === 'mai' ? {} : { created: Math.floor(Date.now() / 1000) }),
    ...(scenario.name === 'extra-fields' ? extraMembers() : {}),
    data: isEmpty ? [] : items,
    ...(job.family.kind === 'gpt-image' ? gptImageMembers(job, options) : {}),
    ...(job.flow === 'mai' ? { usage: maiUsageOf(job) } : {}),
  };
  return jsonBody(members, images, scenario.name === 'escaped' ? 'escaped' : 'compact');
}

function itemOf(job: ImageJob, link: string | undefined): Members {
  const image = job.asUrl ? { url: link } : { b64_json: imageMarker };
  const filters = { content_filter_results: contentFilterResults, prompt_filter_results: promptFilterResults };
  const extra = job.scenario.name === 'extra-fields' ? { provenance: { model: job.family.name, steps: [1, 2] } } : {};
  // Dall-e-3 rewrites the prompt; v1 adds filter results to every item.
  if (job.family.kind === 'dall-e-3') {
    return { revised_prompt: `A vivid, natural image of ${job.prompt}`, ...extra, ...image, ...filters };
  }
  return job.flow === 'azure-v1' ? { ...extra, ...image, ...filters } : { ...extra, ...image };
}

/** `usage` always; the echoed settings only with `withEcho`. */
function gptImageMembers(job: ImageJob, { withEcho }: ImagesResponseOptions): Members {
  return withEcho ? { ...echoOf(job), usage: usageOf(job) } : { usage: usageOf(job) };
}

/** The settings that Azure repeats, always definite. */
export function echoOf({ size, quality, background, format }: ImageJob): Members {
  return { size, quality, background, output_format: format };
}

/** Invented tokens of a job. Each partial image that was sent is billed, too. */
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

/** The same tokens in the terms of MAI-Image, which bills 1024 of them for an image of 1024². */
function maiUsageOf({ prompt, size, edited }: ImageJob): Members {
  const [width = 0, height = 0] = size.split('x').map(Number);
  return {
    num_input_text_tokens: Math.ceil(prompt.length / 4),
    num_input_image_tokens: tokensOfInput * (edited?.inputs ?? 0),
    num_output_tokens: Math.ceil((width * height) / 1024),
  };
}

const levels = 40;

/** Members that no reader knows: deep, large (about 300 kB), and with a decoy of the very members it looks for. */
export function extraMembers(): Record<string, unknown> {
  let nested: Record<string, unknown> = { end: true };
  for (let level = 0; level < levels; level += 1) nested = { level, list: [null, false, 1.5e300, [nested]] };
  const decoy = Buffer.from('This is a decoy.').toString('base64');
  return {
    trace: {
      data: [{ b64_json: decoy, url: 'https://decoy.example.invalid/' }],
      output: [{ type: 'image_generation_call', status: 'completed', result: decoy }],
      created: -1,
      nested,
    },
    notes: Array.from({ length: 3000 }, (_, row) => `row ${row}: \\"quoted\\" {[ brackets ]} and ünïcödé ☃ everywhere`),
    '': 0,
  };
}
