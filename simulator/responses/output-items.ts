import { imageMarker } from '../answer-body.ts';
import { drawImage, type Image } from '../draw-image.ts';
import { imageOrdersOf, operationOf } from '../image-job.ts';
import { echoOf, type Members } from '../images-answer.ts';
import { lateMembers } from './late-members.ts';
import type { ResponseJob } from './response-job.ts';
import { type OutputKind, outcomeOf } from './response-outcome.ts';

/** An item of a response's output; an image marker among its members stands for its image. */
export type OutputItem = { readonly id: string; readonly members: Members; readonly images: readonly Image[] };

const kilobyte = 1024;
const textPart = { type: 'output_text', text: 'Here is what I can offer.', annotations: [] };
const refusalPart = { type: 'refusal', refusal: 'I am sorry, but I cannot help with that.' };

/** Draws the images of a response and puts out its items (CONTRACTS §3.4, output item). */
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
