import { tinyPng } from '../../fixtures/images.ts';
import { createdEvents, imageCall, lastEvent, responseOf, words } from '../agent-wire.ts';
import { jsonReply, reply } from '../http-text.ts';
import { agentModes, type Mode } from '../modes.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atEnd, json, lostJob } from './playing.ts';

const eventStream = { 'content-type': 'text/event-stream' };

/** The response in each of its forms: as JSON, as the last of its events, and as what a poll finds. */
export const brings =
  (response: Readonly<Record<string, unknown>>) =>
  (mode: Mode): ReturnType<typeof atEnd> => {
    if (mode !== 'agent-stream') return atEnd(mode, jsonReply(200, response));
    return atEnd(mode, reply(200, eventStream, [...createdEvents, lastEvent(response)].join('')));
  };

/** What a response of an agent can be, in all of its forms. */
export const responded = (
  name: string,
  response: Readonly<Record<string, unknown>>,
  reported: Expected,
  rest: Partial<Fault> = {},
): Fault => ({ modes: agentModes, name: `response: ${name}`, play: brings(response), reported, ...rest });

/** The same, where only JSON can say so. */
const asJson = (name: string, text: string, reported: Expected): Fault => ({
  modes: agentModes,
  name: `response: ${name}`,
  play: (mode) => atEnd(mode, reply(200, json, text)),
  reported,
});

const { done, invalid, noImage } = expected;
const tooMany: Expected = { ...expected.truncated, code: 'upstream_invalid_response' };
const call = imageCall(tinyPng);
const image = JSON.stringify(tinyPng);

const withoutImage: readonly Fault[] = [
  responded('words only', responseOf([words]), noImage),
  responded(
    'a typed refusal',
    responseOf([{ ...words, content: [{ type: 'refusal', refusal: 'no' }] }]),
    expected.contentRefused,
  ),
  responded('nothing at all', responseOf([]), noImage),
  responded('no output', responseOf(null), noImage),
  responded(
    'the call of another tool only',
    responseOf([{ id: 'ws_one', type: 'web_search_call', status: 'completed' }]),
    noImage,
  ),
  responded('a call without an image', responseOf([imageCall(null)]), invalid),
  responded('a call with an empty image', responseOf([imageCall('')]), invalid),
  responded('a call with a number for its image', responseOf([imageCall(null, { result: 5 })]), invalid),
];

const several: readonly Fault[] = [
  responded('two images', responseOf([call, imageCall(tinyPng, { id: 'ig_two' })]), { ...done, images: 2 }),
  responded(
    'two images without ids',
    responseOf([imageCall(tinyPng, { id: undefined }), imageCall(tinyPng, { id: undefined })]),
    {
      ...done,
      images: 2,
    },
  ),
  responded('the same image twice', responseOf([call, words, call]), done),
  responded('eleven images', responseOf(Array.from({ length: 11 }, (_, id) => imageCall(tinyPng, { id }))), tooMany, {
    exceptions: { 'agent-stream': { reported: { ...done, images: 10 } } },
  }),
  responded('a failed call beside an image', responseOf([imageCall(null, failedCall('server_error')), call]), done),
  responded(
    'a refused call behind an image',
    responseOf([call, imageCall(null, failedCall('moderation_blocked'))]),
    done,
  ),
];

/** An image that is there is delivered, whatever is said about it. */
const spellings: readonly Fault[] = [
  responded('incomplete, with its image', responseOf([call], { status: 'incomplete' }), done),
  responded('failed, with its image', responseOf([call], { status: 'failed', error: { code: 'server_error' } }), done),
  responded('an image before and behind words', responseOf([words, call, words]), done),
  responded('hostile ids of items', responseOf([imageCall(tinyPng, { id: '../x' })]), done),
  asJson('the image before everything else', `{"output":[{"result":${image}}],"status":"completed"}`, done),
  asJson('the type behind the image', `{"output":[{"result":${image},"type":"image_generation_call"}]}`, done),
  responded('a huge echo of instructions', responseOf([call], { instructions: 'a'.repeat(16_000_000) }), done),
  responded('a huge revised prompt', responseOf([imageCall(tinyPng, { revised_prompt: 'a'.repeat(1_000_000) })]), done),
  responded('a huge id', responseOf([imageCall(tinyPng, { id: 'a'.repeat(100_000) })]), done),
  responded('facts that are none', responseOf([imageCall(tinyPng, { size: 5, quality: null, background: {} })]), done),
];

const states: readonly Fault[] = [
  { ...responded('in_progress, and no job', responseOf([], { status: 'in_progress' }), invalid), modes: ['agent'] },
  { ...responded('queued, and no job', responseOf([], { status: 'queued' }), invalid), modes: ['agent'] },
  {
    ...asJson('in_progress as JSON for a stream', JSON.stringify(responseOf([], { status: 'in_progress' })), invalid),
    modes: ['agent-stream'],
  },
  asJson('an unknown status', JSON.stringify(responseOf([], { status: 'upstream-text-canary' })), invalid),
  { ...asJson('no status', JSON.stringify(responseOf([], { status: undefined })), invalid), exceptions: lostJob },
  asJson('a status that is a number', JSON.stringify(responseOf([words], { status: 5 })), invalid),
  { ...asJson('an array', '[]', invalid), exceptions: lostJob },
  // What begins like a word is read as events, of which there is none.
  { ...asJson('null', 'null', invalid), exceptions: { ...lostJob, 'agent-stream': { reported: expected.unknown } } },
];

export const agentExtras: readonly Fault[] = [...withoutImage, ...several, ...spellings, ...states];

function failedCall(code: string): Record<string, unknown> {
  return { status: 'failed', error: { code, message: 'upstream-text-canary' } };
}
