import { imageMarker } from './answer-body.ts';
import { drawImage } from './draw-image.ts';
import { extraMembers } from './extra-members.ts';
import { type ImageJob, imageOrdersOf, operationOf, partialOrdersOf } from './image-job.ts';
import { echoOf, filteredItem, type Members, usageOf } from './images-answer.ts';
import { errorEvent, playScript, type StreamEvent, type StreamStep } from './stream-scripts.ts';

/** What the events of a job may speak of: the image's link when it wants one, and the request's id. */
export type StreamContext = { readonly link: string | undefined; readonly requestId: string };

/** Draws the images of a streamed job and says what its stream does, step by step, scenario included. */
export async function streamSteps(job: ImageJob, { link, requestId }: StreamContext): Promise<readonly StreamStep[]> {
  const partials = (await Promise.all(partialOrdersOf(job).map(drawImage))).map(
    (image, index): StreamEvent => ({
      ...eventOf(job, 'partial_image', { b64_json: imageMarker }, { partial_image_index: index }),
      images: [image],
    }),
  );
  const completed = job.scenario.name === 'filter-item' ? errorEvent(filteredItem) : await completedEvent(job, link);
  const cast = { opening: [], partials, closing: [completed], finished: completed, decoy: decoyFor(job), requestId };
  return playScript(job.scenario.name, cast);
}

function decoyFor(job: ImageJob): StreamEvent {
  const type = `${subjectOf(job)}.in_progress`;
  return { kind: 'event', name: type, members: { type, b64_json: Buffer.from('This is a decoy.').toString('base64') } };
}

function subjectOf(job: ImageJob): string {
  return operationOf(job) === 'edit' ? 'image_edit' : 'image_generation';
}

async function completedEvent(job: ImageJob, link: string | undefined): Promise<StreamEvent> {
  const event = (image: Members) => eventOf(job, 'completed', image, { usage: usageOf(job, job.partialImages) });
  if (job.scenario.name === 'empty-data') return event({});
  if (job.asUrl) return event({ url: link });
  const [order] = imageOrdersOf(job);
  return { ...event({ b64_json: imageMarker }), ...(order && { images: [await drawImage(order)] }) };
}

/** CONTRACTS §2.2: the members of both events, in the order of the documents; `created_at`, not `created`. */
function eventOf(job: ImageJob, kind: 'partial_image' | 'completed', image: Members, last: Members): StreamEvent {
  const { name } = job.scenario;
  const type = `${subjectOf(job)}.${kind}`;
  const members = {
    type,
    ...(name === 'extra-fields' ? extraMembers() : {}),
    ...image,
    ...(name === 'no-created' ? {} : { created_at: Math.floor(Date.now() / 1000) }),
    ...echoOf(job),
    ...last,
  };
  return { kind: 'event', name: type, members };
}
