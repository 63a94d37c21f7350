import { otherPng, tinyPng } from '../../fixtures/images.ts';
import { eventText } from '../../helpers/event-text.ts';
import { commentsFor, eventStream, events, unframed } from '../event-stream.ts';
import { head, jsonReply, reply } from '../http-text.ts';
import { carrierOf, completedEvent, imagesText, partialEvent } from '../modes.ts';
import { fin, type Step, wait, write } from '../script.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { hurried } from './playing.ts';

/** What only an event stream can meet. */
const streamed = (name: string, steps: () => Step[], reported: Expected, rest: Partial<Fault> = {}): Fault => ({
  modes: ['D'],
  name,
  play: () => ({ post: steps() }),
  reported,
  ...rest,
});

const good = carrierOf('D').body.toString();
const done = expected.done;
const failure = (code: string): string => eventText('error', { error: { code, message: 'upstream-text-canary' } });
const withMember = (text: string, member: string): string => text.replace('{', `{${member},`);
const idle = { upstreamTimes: { bodyIdleMs: 200 } };

const errorEvents: readonly Fault[] = [
  streamed('error event before any image', () => events(failure('server_error')), expected.failed),
  streamed(
    'error event of a rate limit before any image',
    () => events(failure('rate_limit_exceeded')),
    expected.limited,
  ),
  streamed(
    'error event of a caller’s mistake',
    () =>
      events(
        eventText('error', {
          error: { type: 'image_generation_user_error', message: 'upstream-text-canary', param: 'prompt' },
        }),
      ),
    { ...expected.valueRefused, param: 'prompt' },
  ),
  streamed(
    'error event, flat',
    () => events(eventText('error', { code: 'server_error', message: 'x' })),
    expected.failed,
  ),
  streamed('error event after a partial image', () => events(partialEvent(tinyPng), failure('server_error')), {
    ...expected.truncated,
    code: 'upstream_generation_failed',
  }),
  streamed('refused after a partial image', () => events(partialEvent(tinyPng), failure('content_policy_violation')), {
    ...expected.truncated,
    code: 'content_policy_violation',
  }),
];

const ends: readonly Fault[] = [
  streamed('EOF after a partial image', () => events(partialEvent(tinyPng)), expected.truncated),
  streamed('close after a partial image', () => unframed(partialEvent(tinyPng)), expected.truncated),
  streamed('EOF after comments only', () => events(': one\n\n: two\n\n'), expected.unknown),
  streamed('EOF after [DONE] only', () => events('data: [DONE]\n\n'), expected.unknown),
  streamed('comments for ever', () => commentsFor(4_000), expected.late, { timeoutMs: hurried }),
  streamed('close after the image', () => unframed(good), done),
  streamed('close instead of the last empty line', () => unframed(good.slice(0, -2)), done),
  streamed('no end after the image', () => [write(head(200, eventStream) + good)], done),
  streamed(
    'silence before the image',
    () => [write(head(200, eventStream)), wait(1_500), write(good), fin],
    done,
    idle,
  ),
];

const spellings: readonly Fault[] = [
  streamed('an event split at every byte', () => [write(head(200, eventStream)), ...bytes(good), fin], done),
  streamed('an event of 10 MB', () => events(withMember(good, `"padding":"${'a'.repeat(10_000_000)}"`)), done),
  streamed('CRLF', () => events(good.replaceAll('\n', '\r\n')), done),
  streamed('CR', () => events(good.replaceAll('\n', '\r')), done),
  streamed('a byte order mark', () => events('\uFEFF', good), done),
  streamed('events without names', () => events(good.replaceAll(/^event: .*\n/gm, '')), done),
  streamed('unknown events and fields', () => events('id: 1\nretry: 5\n\n', eventText('ping', {}), good), done),
  streamed('completed twice', () => events(good, completedEvent(otherPng)), done),
  streamed('a partial image after the image', () => events(completedEvent(tinyPng), partialEvent(otherPng)), done),
  streamed('partial images out of order', () => events(numbered(2), numbered(0), good), done),
  streamed('[DONE] at the end', () => events(good, 'data: [DONE]\n\n'), done),
  streamed('[DONE] at the beginning', () => events('data: [DONE]\n\n', good), done),
  streamed('JSON instead of events', () => jsonReply(200, JSON.parse(imagesText(tinyPng))), done),
  streamed('JSON that says it is events', () => reply(200, eventStream, imagesText(tinyPng)), done),
];

const bytes = (text: string): Step[] => [...Buffer.from(text)].map((byte) => write(Buffer.of(byte)));
const numbered = (index: number): string =>
  partialEvent(tinyPng).replace('"partial_image_index":0', `"partial_image_index":${index}`);

export const streamExtras: readonly Fault[] = [...errorEvents, ...ends, ...spellings];
