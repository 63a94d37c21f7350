import { moderationBlocked, moderationDetails } from './azure-errors.ts';
import type { Image } from './draw-image.ts';
import type { Members } from './images-answer.ts';
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

/** The events of a stream when all is well, and what else its scripts may speak of. */
export type StreamCast = {
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

type Script = (cast: StreamCast) => readonly StreamStep[];

/** An event of the type that refuses what was asked for. */
export const errorEvent = (members: unknown): StreamEvent => ({
  kind: 'event',
  name: 'error',
  members: members as Members,
});

const lines = (...text: readonly string[]): StreamStep => ({ kind: 'lines', lines: text });
const whole = ({ opening, partials, closing }: StreamCast) => [...opening, ...partials, ...closing];

// Legal, and nothing in it is an event: an event without data is not one either.
const noiseAmid = ({ closing }: StreamCast): StreamStep =>
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

const around = (between: readonly StreamStep[], cast: StreamCast) => [
  ...whole(cast).flatMap((event) => [...between, event]),
  ...between,
];

// Where a scenario cuts after the first partial image, a caller who wants none gets nothing of it.
const firstAnd =
  (...ending: readonly StreamStep[]): Script =>
  ({ opening, partials }) => [...opening, ...partials.slice(0, 1), ...ending];

const scripts: Partial<Record<ScenarioName, Script>> = {
  // CONTRACTS §3.2, streaming: a refusal can arrive inside the stream, after the status 200, in two shapes.
  'stream-error-nested': ({ opening, requestId }) => [...opening, errorEvent(moderationBlocked(requestId).body)],
  'stream-error-flat': ({ opening, requestId }) => {
    const { error } = moderationBlocked(requestId).body as { error: { code: string; message: string } };
    return [...opening, errorEvent({ type: 'error', code: error.code, message: error.message })];
  },
  'stream-error-late': (cast) => {
    const { error } = moderationBlocked(cast.requestId).body as { error: Members };
    return firstAnd(errorEvent({ error: { ...error, moderation_details: moderationDetails } }))(cast);
  },
  'stream-cut': firstAnd(),
  'stream-reset': firstAnd({ kind: 'reset' }),
  'stream-stall': firstAnd({ kind: 'stall' }),
  'stream-stall-comments': firstAnd({ kind: 'stall-comments' }),
  'stream-comments': (cast) => around([noiseAmid(cast)], cast),
  'stream-unknown-events': (cast) => around([ping, cast.decoy], cast),
  'stream-done': (cast) => [...whole(cast), lines('data: [DONE]', '')],
  'stream-double': (cast) => whole(cast).flatMap((event) => (event === cast.finished ? [event, event] : [event])),
  // Of three: 2, 0, 1.
  'stream-unordered': ({ opening, partials, closing }) => [
    ...opening,
    ...partials.slice(-1),
    ...partials.slice(0, -1),
    ...closing,
  ],
};

/** What a stream does, step by step, in this scenario. */
export function playScript(scenario: ScenarioName, cast: StreamCast): readonly StreamStep[] {
  return scripts[scenario]?.(cast) ?? whole(cast);
}
