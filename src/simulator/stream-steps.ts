import { pictureMarker } from './answer-body.ts';
import { moderationBlocked } from './azure-errors.ts';
import { drawPicture, type Picture } from './draw-picture.ts';
import { extraMembers } from './extra-members.ts';
import { type ImageJob, operationOf, partialOrdersOf, pictureOrdersOf } from './image-job.ts';
import { echoOf, filteredItem, type Members, usageOf } from './images-answer.ts';
import type { ScenarioName } from './scenarios.ts';

/** One event of a stream; a picture marker among its members stands for the picture. */
export type StreamEvent = {
  readonly kind: 'event';
  readonly name: string;
  readonly members: Members;
  readonly picture?: Picture;
};

/** What a stream does next: an event, lines as they are, or an end of its own. */
export type StreamStep =
  | StreamEvent
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'reset' | 'stall' | 'stall-comments' };

/** What the events of a job may speak of: the picture's link when it wants one, and the request's id. */
export type StreamContext = { readonly link: string | undefined; readonly requestId: string };

type Cast = {
  readonly partials: readonly StreamEvent[];
  readonly completed: StreamEvent;
  readonly requestId: string;
};
type Script = (cast: Cast) => readonly StreamStep[];

const errorEvent = (members: unknown): StreamEvent => ({ kind: 'event', name: 'error', members: members as Members });
const lines = (...text: readonly string[]): StreamStep => ({ kind: 'lines', lines: text });

// Legal, and nothing in it is an event: an event without data is not one either.
const noiseAmid = ({ completed }: Cast): StreamStep =>
  lines(
    ...Array.from({ length: 100 }, (_, row) => `: keep-alive ${row}`),
    ':',
    '',
    '',
    `event: ${completed.name}`,
    '',
    'id: 7',
    'retry: 10',
    'colour: blue',
    '',
  );

// The second one carries a decoy of the member that every reader looks for.
function unknownEvents({ completed }: Cast): readonly StreamStep[] {
  const name = completed.name.replace('completed', 'in_progress');
  const b64_json = Buffer.from('This is a decoy.').toString('base64');
  return [
    { kind: 'event', name: 'ping', members: { type: 'ping' } },
    { kind: 'event', name, members: { type: name, b64_json } },
  ];
}

const around = (between: readonly StreamStep[], events: readonly StreamStep[]) => [
  ...events.flatMap((event) => [...between, event]),
  ...between,
];

// Where a scenario cuts after the first partial picture, a caller who wants none gets nothing.
const firstAnd =
  (...ending: readonly StreamStep[]): Script =>
  ({ partials }) => [...partials.slice(0, 1), ...ending];

const scripts: Partial<Record<ScenarioName, Script>> = {
  // CONTRACTS §3.2, streaming: a refusal can arrive inside the stream, after the status 200, in two shapes.
  'stream-error-nested': ({ requestId }) => [errorEvent(moderationBlocked(requestId).body)],
  'stream-error-flat': ({ requestId }) => {
    const { error } = moderationBlocked(requestId).body as { error: { code: string; message: string } };
    return [errorEvent({ type: 'error', code: error.code, message: error.message })];
  },
  'stream-error-late': (cast) => {
    const { error } = moderationBlocked(cast.requestId).body as { error: Members };
    const details = { moderation_stage: 'output', categories: ['violence'] };
    return firstAnd(errorEvent({ error: { ...error, moderation_details: details } }))(cast);
  },
  'stream-cut': firstAnd(),
  'stream-reset': firstAnd({ kind: 'reset' }),
  'stream-stall': firstAnd({ kind: 'stall' }),
  'stream-stall-comments': firstAnd({ kind: 'stall-comments' }),
  'stream-comments': (cast) => around([noiseAmid(cast)], [...cast.partials, cast.completed]),
  'stream-unknown-events': (cast) => around(unknownEvents(cast), [...cast.partials, cast.completed]),
  'stream-done': ({ partials, completed }) => [...partials, completed, lines('data: [DONE]', '')],
  'stream-double': ({ partials, completed }) => [...partials, completed, completed],
  // Of three: 2, 0, 1.
  'stream-unordered': ({ partials, completed }) => [...partials.slice(-1), ...partials.slice(0, -1), completed],
  'filter-item': ({ partials }) => [...partials, errorEvent(filteredItem)],
};

/** Draws the pictures of a streamed job and says what its stream does, step by step, scenario included. */
export async function streamSteps(job: ImageJob, { link, requestId }: StreamContext): Promise<readonly StreamStep[]> {
  const partials = (await Promise.all(partialOrdersOf(job).map(drawPicture))).map(
    (picture, index): StreamEvent => ({
      ...eventOf(job, 'partial_image', { b64_json: pictureMarker }, { partial_image_index: index }),
      picture,
    }),
  );
  const cast = { partials, completed: await completedEvent(job, link), requestId };
  return scripts[job.scenario.name]?.(cast) ?? [...partials, cast.completed];
}

async function completedEvent(job: ImageJob, link: string | undefined): Promise<StreamEvent> {
  const event = (picture: Members) => eventOf(job, 'completed', picture, { usage: usageOf(job, job.partialImages) });
  if (job.scenario.name === 'empty-data') return event({});
  if (job.asUrl) return event({ url: link });
  const [order] = pictureOrdersOf(job);
  return { ...event({ b64_json: pictureMarker }), ...(order && { picture: await drawPicture(order) }) };
}

/** CONTRACTS §2.2: the members of both events, in the order of the documents; `created_at`, not `created`. */
function eventOf(job: ImageJob, kind: 'partial_image' | 'completed', picture: Members, last: Members): StreamEvent {
  const { name } = job.scenario;
  const type = `${operationOf(job) === 'edit' ? 'image_edit' : 'image_generation'}.${kind}`;
  const members = {
    type,
    ...(name === 'extra-fields' ? extraMembers() : {}),
    ...picture,
    ...(name === 'no-created' ? {} : { created_at: Math.floor(Date.now() / 1000) }),
    ...echoOf(job),
    ...last,
  };
  return { kind: 'event', name: type, members };
}
