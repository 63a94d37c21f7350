import { otherPng, tinyPng } from '../../fixtures/images.ts';
import { eventText } from '../../helpers/event-text.ts';
import {
  agentEvents,
  drawn,
  imageCall,
  itemEvent,
  lastEvent,
  openingEvents,
  partialImageEvent,
  responseOf,
  responseText,
  words,
} from '../agent-wire.ts';
import { commentsFor, eventStream, events, unframed } from '../event-stream.ts';
import { chunk, head, reply } from '../http-text.ts';
import { fin, reset, type Step, wait, write } from '../script.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { hurried, noticed } from './playing.ts';

/** What only the events of an agent can meet. */
const streamed = (name: string, steps: () => Step[], reported: Expected, rest: Partial<Fault> = {}): Fault => ({
  modes: ['agent-stream'],
  name: `events: ${name}`,
  play: () => ({ post: steps() }),
  reported,
  ...rest,
});

const begun = (...texts: readonly string[]): Step =>
  write(head(200, { ...eventStream, 'transfer-encoding': 'chunked' }) + chunk(texts.join('')).toString());

const opening = openingEvents.join('');
const partialImage = partialImageEvent(tinyPng);
const item = itemEvent();
const last = lastEvent();
const good = agentEvents(tinyPng);
const { done, truncated, unknown } = expected;

const flatError = (code: string): string =>
  eventText('error', { code, message: 'upstream-text-canary', param: null, sequence_number: 5 });
const nestedError = (code: string): string =>
  `event: error\ndata: ${JSON.stringify({ error: { code, message: 'upstream-text-canary' } })}\n\n`;
const failed = (code: string): string =>
  lastEvent(responseOf([], { status: 'failed', error: { code, message: 'upstream-text-canary' } }));

/** An error in each of its spellings, before anything and behind a partial image. */
const spelled = (name: string, error: (code: string) => string): readonly Fault[] => [
  streamed(`${name}`, () => events(error('server_error')), expected.failed),
  streamed(`${name} behind the opening`, () => events(opening, error('server_error')), expected.failed),
  streamed(`${name} of a rate limit`, () => events(opening, error('rate_limit_exceeded')), expected.limited),
  streamed(`${name} of content`, () => events(opening, error('moderation_blocked')), expected.moderationBlocked),
  streamed(`${name} behind a partial image`, () => events(opening, partialImage, error('server_error')), {
    ...truncated,
    code: 'upstream_generation_failed',
  }),
  streamed(
    `${name} of content behind a partial image`,
    () => events(partialImage, error('image_content_policy_violation')),
    {
      ...truncated,
      code: 'content_policy_violation',
    },
  ),
  streamed(`${name} behind the image`, () => events(opening, partialImage, item, error('server_error')), done),
];

const errors: readonly Fault[] = [
  ...spelled('error event', flatError),
  ...spelled('nested error event', nestedError),
  ...spelled('response.failed', failed),
  streamed('an error beside a partial image', () => events(opening, besidePartialImage), expected.failed),
];

const besidePartialImage = partialImageEvent(tinyPng, {
  error: { code: 'server_error', message: 'upstream-text-canary' },
});

const ends: readonly Fault[] = [
  streamed('EOF behind the opening', () => events(opening), unknown),
  streamed('close behind the opening', () => unframed(opening), unknown),
  streamed('EOF behind a partial image', () => events(opening, partialImage), truncated),
  streamed('close behind a partial image', () => unframed(opening, partialImage), truncated),
  streamed('EOF behind comments only', () => events(': one\n\n: two\n\n'), unknown),
  streamed('EOF behind [DONE] only', () => events('data: [DONE]\n\n'), unknown),
  streamed('words behind a partial image', () => events(opening, partialImage, lastEvent(responseOf([words]))), {
    ...truncated,
    code: 'upstream_invalid_response',
  }),
  streamed('comments for ever', () => commentsFor(4_000), expected.late, { timeoutMs: hurried }),
  streamed('silence behind the opening', () => [begun(opening)], expected.late, { timeoutMs: hurried }),
  streamed('silence before the image', () => [begun(opening), wait(1_500), write(chunk(item + last)), fin], done, {
    upstreamTimes: { bodyIdleMs: 200 },
  }),
];

/** The image is complete with its item: whatever follows, it is delivered, and nothing is said against it. */
const cuts: readonly Fault[] = [
  streamed('EOF behind the item', () => events(opening, partialImage, item), done),
  streamed('close behind the item', () => unframed(opening, partialImage, item), done),
  streamed('FIN behind the item', () => [begun(opening, partialImage, item), fin], done),
  streamed('reset behind the item', () => [begun(opening, partialImage, item), noticed, reset], done),
  streamed('FIN in the last event', () => [begun(opening, item, last.slice(0, 300)), fin], done),
  streamed(
    'FIN in the repeated image',
    () => [begun(opening, item, last.slice(0, last.indexOf(tinyPng) + 60)), fin],
    done,
  ),
  streamed('JSON cut in the last event', () => events(opening, item, `${last.slice(0, 300)}\n\n`), done),
  streamed('silence behind the item', () => [begun(opening, partialImage, item)], done),
  streamed('no end behind the last event', () => [begun(good)], done),
  streamed('JSON cut behind the image of the only event', () => events(`${last.slice(0, -10)}\n\n`), done),
];

const orders: readonly Fault[] = [
  streamed('no partial images', () => events(opening, item, last), done),
  streamed('the item only', () => events(item), done),
  streamed('the last event only', () => events(last), done),
  streamed('the last event before all', () => events(last, good), done),
  streamed('the item twice', () => events(opening, item, item, last), done),
  streamed('the item before its partial image', () => events(item, partialImage, opening, last), done),
  streamed('partial images out of order', () => events(numbered(2), numbered(0), item, last), done),
  streamed(
    'events of words between',
    () => events(opening, textEvents, partialImage, textEvents, item, textEvents, last),
    done,
  ),
  streamed('an item of words behind the image', () => events(opening, item, wordsItem, last), done),
  streamed('an item without an image', () => events(opening, itemEvent(null), last), done),
  streamed(
    'items without ids',
    () => events(opening, itemEvent(tinyPng, noId), lastEvent(responseOf([imageCall(tinyPng, noId)]))),
    done,
  ),
  streamed(
    'completed, not repeating the image',
    () => events(opening, item, lastEvent(responseOf([imageCall(null)]))),
    done,
  ),
  streamed(
    'two partial images and another one behind the item',
    () => events(partialImage, numbered(1), item, numbered(2), last),
    done,
  ),
  streamed(
    'a second item with another image',
    () => events(opening, item, itemEvent(tinyPng, { id: 'ig_two' }), last),
    {
      ...done,
      images: 2,
    },
  ),
];

const wordsItem = eventText('response.output_item.done', { output_index: 1, item: words });
const textEvents = [
  eventText('response.output_item.added', { output_index: 1, item: words }),
  eventText('response.output_text.delta', { item_id: 'msg_one', delta: 'upstream-text-canary' }),
  eventText('response.output_text.done', { item_id: 'msg_one', text: 'upstream-text-canary' }),
].join('');
const noId = { id: undefined };
const numbered = (index: number): string => partialImageEvent(otherPng, { partial_image_index: index });

const spellings: readonly Fault[] = [
  streamed('split at every byte', () => [write(head(200, eventStream)), ...bytes(good), fin], done),
  streamed('CRLF', () => events(good.replaceAll('\n', '\r\n')), done),
  streamed('CR', () => events(good.replaceAll('\n', '\r')), done),
  streamed('a byte order mark', () => events('\uFEFF', good), done),
  streamed('no names', () => events(good.replaceAll(/^event: .*\n/gm, '')), done),
  streamed('names, and no types', () => events(good.replaceAll(/\{"type":"response\.[^"]*",/g, '{')), done),
  streamed('neither names nor types', () => events(anonymous(item)), done),
  streamed('unknown events and fields', () => events('id: 1\nretry: 5\n\n', eventText('ping', {}), good), done),
  streamed('[DONE] at the end', () => events(good, 'data: [DONE]\n\n'), done),
  streamed('[DONE] at the beginning', () => events('data: [DONE]\n\n', good), done),
  streamed(
    'an event of 10 MB',
    () => events(eventText('response.created', { padding: 'a'.repeat(10_000_000) }), good),
    done,
  ),
  streamed(
    'JSON instead of events',
    () => reply(200, { 'content-type': 'application/json' }, responseText(tinyPng)),
    done,
  ),
  streamed('JSON that says it is events', () => reply(200, eventStream, JSON.stringify(drawn(tinyPng))), done),
];

const bytes = (text: string): Step[] => [...Buffer.from(text)].map((byte) => write(Buffer.of(byte)));
const anonymous = (text: string): string =>
  text.replace(/^event: .*\n/, '').replace(/\{"type":"response\.[^"]*",/, '{');

export const agentStreamExtras: readonly Fault[] = [...errors, ...ends, ...cuts, ...orders, ...spellings];
