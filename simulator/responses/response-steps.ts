import { drawImage } from '../draw-image.ts';
import { partialOrdersOf } from '../image-job.ts';
import { playScript, type StreamEvent, type StreamStep } from '../stream-scripts.ts';
import { type ItemEvents, itemEvents, partialEvent, typedEvent } from './item-events.ts';
import { type OutputItem, outputItems } from './output-items.ts';
import { responseMembers } from './response-body.ts';
import type { ResponseJob } from './response-job.ts';
import { outcomeOf } from './response-outcome.ts';

/** What the stream of a response does, step by step, scenario included (CONTRACTS §3.4, stream events). */
export async function responseSteps(job: ResponseJob): Promise<readonly StreamStep[]> {
  const items = await outputItems(job);
  const [first, ...others] = items.map(itemEvents);
  const running = { response: responseMembers(job, 'in_progress', []) };
  const cast = {
    opening: [
      typedEvent('response.created', running),
      typedEvent('response.in_progress', running),
      ...(first?.begin ?? []),
    ],
    partials: first?.isCall ? await partialEvents(job, items) : [],
    closing: [
      ...(first ? endOf(job, first) : []),
      ...others.flatMap((item) => [...item.begin, ...endOf(job, item)]),
      endEvent(job, items),
    ],
    finished: first?.done,
    decoy: typedEvent('response.image_generation_call.rendering', {
      partial_image_b64: decoy,
      item: { type: 'image_generation_call', status: 'completed', result: decoy },
    }),
    requestId: job.requestId,
  };
  return numbered(playScript(job.image.scenario.name, cast));
}

const decoy = Buffer.from('This is a decoy.').toString('base64');

async function partialEvents(job: ResponseJob, [first]: readonly OutputItem[]): Promise<StreamEvent[]> {
  const madeImages = await Promise.all(partialOrdersOf(job.image).map(drawImage));
  return madeImages.map((made, index) => partialEvent(job, first?.id ?? '', made, index));
}

function endOf({ image }: ResponseJob, { end, done, isCall }: ItemEvents): readonly StreamEvent[] {
  return isCall && image.scenario.name === 'agent-completed-only' ? end.filter((event) => event !== done) : end;
}

// There is no event of its own for a response that somebody has cancelled.
function endEvent(job: ResponseJob, items: readonly OutputItem[]): StreamEvent {
  const { status } = outcomeOf(job);
  const response = responseMembers(job, status, items);
  const madeImages = items.flatMap((item) => item.images);
  return typedEvent(`response.${status === 'cancelled' ? 'failed' : status}`, { response }, madeImages);
}

/** CONTRACTS §3.4: every event has its number, and a refusal that is flat has a param, too. */
function numbered(steps: readonly StreamStep[]): readonly StreamStep[] {
  let events = 0;
  return steps.map((step) => {
    if (step.kind !== 'event' || !('type' in step.members)) return step;
    const param = step.name === 'error' ? { param: null } : {};
    return { ...step, members: { ...step.members, ...param, sequence_number: events++ } };
  });
}
