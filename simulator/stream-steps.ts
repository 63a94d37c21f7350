import { moderationBlocked, moderationDetails } from './azure-errors.ts';
import { drawImage, type Image } from './draw-image.ts';
import { type ImageJob, imageOrdersOf, operationOf, partialOrdersOf } from './image-job.ts';
import { echoOf, extraMembers, filteredItem, type Members, usageOf } from './images-response.ts';
import { imageMarker } from './response-bytes.ts';
import type { ScenarioName } from './scenarios.ts';

/** One event of a stream; the image markers among its members stand for its images, in order. */
export type StreamEvent = {
  readonly kind: 'event';
  readonly name: string;
  readonly members: Members;
  readonly images?: readonly Image[];
};

/** What a stream does next: an event, lines as they are, or an end of its own. */
export type StreamStep =
  | StreamEvent
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'reset' | 'stall' | 'stall-comments' };

/** The events of a stream when all is well, and what else its scripts may need. */
type StreamParts = {
  /** What comes before the first image. */
  readonly opening: readonly StreamEvent[];
  readonly partials: readonly StreamEvent[];
  readonly closing: readonly StreamEvent[];
  /** The one that brings the finished image; undefined where there is none. */
  readonly finished: StreamEvent | undefined;
  /** An event that no reader knows, with something in it that every reader looks for. */
  readonly decoy: StreamEvent;
  readonly requestId: string;
};

type Script = (parts: StreamParts) => readonly StreamStep[];

/** An event of the type that refuses what was asked for. */
const errorEvent = (members: unknown): StreamEvent => ({
  kind: 'event',
  name: 'error',
  members: members as Members,
});

const lines = (...text: readonly string[]): StreamStep => ({ kind: 'lines', lines: text });
const whole = ({ opening, partials, closing }: StreamParts) => [...opening, ...partials, ...closing];

// Legal, and nothing in it is an event: an event without data is not one either.
const noiseAmid = ({ closing }: StreamParts): StreamStep =>
  lines(
    ...Array.from({ length: 100 }, (_, row) => `: keep-alive ${row}`),
    ':',
    '',
    '',
    `event: ${closing.at(-1)?.name}`,
    '',
    'id: 7',
    'retry: 10',
    'colour: blue',
    '',
  );

const ping: StreamEvent = { kind: 'event', name: 'ping', members: { type: 'ping' } };

const around = (between: readonly StreamStep[], parts: StreamParts) => [
  ...whole(parts).flatMap((event) => [...between, event]),
  ...between,
];

// Where a scenario cuts after the first partial image, a caller who wants none gets nothing of it.
const firstAnd =
  (...ending: readonly StreamStep[]): Script =>
  ({ opening, partials }) => [...opening, ...partials.slice(0, 1), ...ending];

const scripts: Partial<Record<ScenarioName, Script>> = {
  // A refusal can arrive inside the stream, after the status 200, in two shapes.
  'stream-error-nested': ({ opening, requestId }) => [...opening, errorEvent(moderationBlocked(requestId).body)],
  'stream-error-flat': ({ opening, requestId }) => {
    const { error } = moderationBlocked(requestId).body as { error: { code: string; message: string } };
    return [...opening, errorEvent({ type: 'error', code: error.code, message: error.message })];
  },
  'stream-error-late': (parts) => {
    const { error } = moderationBlocked(parts.requestId).body as { error: Members };
    return firstAnd(errorEvent({ error: { ...error, moderation_details: moderationDetails } }))(parts);
  },
  'stream-cut': firstAnd(),
  'stream-reset': firstAnd({ kind: 'reset' }),
  'stream-stall': firstAnd({ kind: 'stall' }),
  'stream-stall-comments': firstAnd({ kind: 'stall-comments' }),
  'stream-comments': (parts) => around([noiseAmid(parts)], parts),
  'stream-unknown-events': (parts) => around([ping, parts.decoy], parts),
  'stream-done': (parts) => [...whole(parts), lines('data: [DONE]', '')],
  'stream-double': (parts) => whole(parts).flatMap((event) => (event === parts.finished ? [event, event] : [event])),
  // Of three: 2, 0, 1.
  'stream-unordered': ({ opening, partials, closing }) => [
    ...opening,
    ...partials.slice(-1),
    ...partials.slice(0, -1),
    ...closing,
  ],
};

/** What a stream does, step by step, in this scenario. */
export function scriptedSteps(scenario: ScenarioName, parts: StreamParts): readonly StreamStep[] {
  return scripts[scenario]?.(parts) ?? whole(parts);
}

/** What the events of a job may contain: the image's link when it wants one, and the request's id. */
type StreamContext = { readonly link: string | undefined; readonly requestId: string };

/** Draws the images of a streamed job and says what its stream does, step by step, scenario included. */
export async function streamSteps(job: ImageJob, { link, requestId }: StreamContext): Promise<readonly StreamStep[]> {
  const partials = (await Promise.all(partialOrdersOf(job).map(drawImage))).map(
    (image, index): StreamEvent => ({
      ...eventOf(job, 'partial_image', { b64_json: imageMarker }, { partial_image_index: index }),
      images: [image],
    }),
  );
  const completed = job.scenario.name === 'filter-item' ? errorEvent(filteredItem) : await completedEvent(job, link);
  const parts = { opening: [], partials, closing: [completed], finished: completed, decoy: decoyFor(job), requestId };
  return scriptedSteps(job.scenario.name, parts);
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

/** The members of both events, in the order of the documents; `created_at`, not `created`. */
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
