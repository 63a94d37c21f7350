import { drawImage, type Image } from '../draw-image.ts';
import { imageOrdersOf, operationOf } from '../image-job.ts';
import { echoOf, extraMembers, type Members, usageOf } from '../images-response.ts';
import { imageMarker, jsonBody, type ResponseBytes } from '../response-bytes.ts';
import type { ScenarioName } from '../scenarios.ts';
import { type OutputKind, outcomeOf, type ResponseJob, type ResponseStatus } from './response-job.ts';

const megabyte = 1024 * 1024;

/** The body that shows a response in this state, with its output when it has come to the end it was meant for. */
export async function responseBody(job: ResponseJob, status: ResponseStatus): Promise<ResponseBytes> {
  const items = status === outcomeOf(job).status ? await outputItems(job) : [];
  const images = items.flatMap((item) => item.images);
  const spelling = job.image.scenario.name === 'escaped' ? 'escaped' : 'compact';
  return jsonBody(responseMembers(job, status, items), images, spelling);
}

/** The members of a whole Response object. */
export function responseMembers(job: ResponseJob, status: ResponseStatus, items: readonly OutputItem[]): Members {
  const { id, createdAt, inBackground, isStored, echo, image } = job;
  const { name, value } = image.scenario;
  const outcome = outcomeOf(job);
  const { error, reason } = status === outcome.status ? outcome : {};
  const members = {
    id,
    object: 'response',
    ...(name === 'no-created' ? {} : { created_at: Math.floor(createdAt / 1000) }),
    status,
    background: inBackground,
    store: isStored,
    error: error ?? null,
    incomplete_details: reason === undefined ? null : { reason },
    ...echo,
    ...(name === 'agent-huge-echo' ? { instructions: 'Draw. '.padEnd(value * megabyte, 'Draw well. ') } : {}),
    ...(name === 'extra-fields' ? extraMembers() : {}),
    output: items.map((item) => item.members),
    usage: status === 'completed' || status === 'incomplete' ? chatUsageOf(job) : null,
  };
  return lateMembers(members, name);
}

// The tokens of the chat model, not of the image.
function chatUsageOf({ image }: ResponseJob): Members {
  const { input_tokens: inputTokens } = usageOf(image);
  const [input, output] = [Number(inputTokens) + 100, 50];
  return { input_tokens: input, output_tokens: output, total_tokens: input + output };
}

/** An item of a response's output; an image marker among its members stands for its image. */
export type OutputItem = { readonly id: string; readonly members: Members; readonly images: readonly Image[] };

const kilobyte = 1024;
const textPart = { type: 'output_text', text: 'Here is what I can offer.', annotations: [] };
const refusalPart = { type: 'refusal', refusal: 'I am sorry, but I cannot help with that.' };

/** Draws the images of a response and puts out its items. */
export async function outputItems(job: ResponseJob): Promise<readonly OutputItem[]> {
  const orders = imageOrdersOf(job.image);
  return Promise.all(
    outcomeOf(job).output.map(async (output, position): Promise<OutputItem> => {
      // One response has the same ids whenever it is asked for.
      const name = `${job.id.replace('resp_', '')}${position}`;
      const order = output.kind === 'image' ? orders[position] : undefined;
      const images = order === undefined ? [] : [await drawImage(order)];
      if (output.kind === 'text' || output.kind === 'refusal') return messageItem(`msg_${name}`, output);
      return { id: `ig_${name}`, members: callMembers(`ig_${name}`, job, output), images };
    }),
  );
}

function messageItem(id: string, { kind }: OutputKind): OutputItem {
  const content = [kind === 'refusal' ? refusalPart : textPart];
  const members = { id, type: 'message', status: 'completed', role: 'assistant', content };
  return { id, members, images: [] };
}

function callMembers(id: string, job: ResponseJob, output: OutputKind): Members {
  const { image } = job;
  const isFailed = output.kind === 'failed-call';
  const members = {
    id,
    type: 'image_generation_call',
    status: isFailed ? 'failed' : 'completed',
    ...(image.scenario.name === 'extra-fields' ? { provenance: { model: image.family.name, steps: [1, 2] } } : {}),
    ...(isFailed && { error: output.error }),
    action: operationOf(image),
    ...echoOf(image),
    revised_prompt: revisedPromptOf(job),
    result: output.kind === 'image' ? imageMarker : null,
  };
  return lateMembers(members, image.scenario.name);
}

function revisedPromptOf({ image: { prompt, scenario } }: ResponseJob): string {
  const revised = `A vivid, natural image of ${prompt}`;
  return scenario.name === 'agent-huge-prompt' ? revised.padEnd(scenario.value * kilobyte, ' and more') : revised;
}

const late: readonly ScenarioName[] = ['agent-late-members', 'stream-late-members'];

/** The same members; two scenarios put the long ones first, and those that tell the kind last. */
function lateMembers(members: Members, scenario: ScenarioName): Members {
  if (!late.includes(scenario)) return members;
  const { type, status, result, output, ...rest } = members;
  return { result, output, ...rest, type, status };
}
