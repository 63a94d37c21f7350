import { tinyPng } from '../../fixtures/images.ts';
import { drawn, imageCall, pending, responseId, responseOf } from '../agent-wire.ts';
import { errorReply, head, jsonReply, reply } from '../http-text.ts';
import { carrierOf, later, queued } from '../modes.ts';
import { drip, fin, reset, type Step, wait, write } from '../script.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { hurried, hurriedJob, json, lasting, noticed } from './playing.ts';

/** What only a job of an agent can meet: between its POST and its polls. */
const only = { modes: ['agent-background'] } as const;

const soon = { 'retry-after-ms': '1' };
const { done, failed, invalid, lateJob, unknown, unknownJob } = expected;

/** The POST gets this. */
const taken = (name: string, steps: () => readonly Step[], reported: Expected, rest: Partial<Fault> = {}): Fault => ({
  ...only,
  name: `job taken: ${name}`,
  play: () => ({ post: steps() }),
  reported: { ...reported, polls: reported.polls ?? 0 },
  ...rest,
});

const cut = '{"id":"resp_one","status":"que';
const withLength = (text: string): Step => write(head(200, { ...json, 'content-length': '999' }) + text);

const starts: readonly Fault[] = [
  taken('it is done already', () => jsonReply(200, drawn(tinyPng)), done),
  taken('it has failed already', () => jsonReply(200, responseOf([], { status: 'failed' })), failed),
  taken('words only', () => jsonReply(200, responseOf([])), expected.noImage),
  taken('201, in progress', () => jsonReply(201, pending('in_progress'), soon), { ...done, polls: 1 }),
  taken('cut', () => [withLength(cut), fin], unknown),
  taken('reset', () => [withLength(cut), noticed, reset], unknown),
  taken('cut with a correct length', () => reply(200, json, cut), unknown),
  taken('it hangs behind its id', () => [withLength(`{"id":"${responseId}",`)], expected.late, { timeoutMs: hurried }),
  taken('empty', () => reply(200, json, ''), invalid),
  taken('HTML', () => reply(200, { 'content-type': 'text/html' }, '<h1>upstream-text-canary</h1>'), invalid),
  taken('an unknown status', () => jsonReply(200, pending('upstream-text-canary')), invalid),
];

/** Without an id that is one, nothing is polled: it could lead elsewhere. */
const named = (name: string, id: unknown): Fault => taken(`its id is ${name}`, () => queued({ id }), invalid);

const ids: readonly Fault[] = [
  named('missing', undefined),
  named('null', null),
  named('empty', ''),
  named('a number', 5),
  named('a path upwards', '../x'),
  named('an encoded path', '%2e%2e%2fx'),
  named('dots', '..'),
  named('a path', 'resp/one'),
  named('a query', 'resp_one?x=1'),
  named('a fragment', 'resp_one#x'),
  named('a line', 'resp_one\r\nx: 1'),
  named('an address', 'https://evil.example/one'),
  named('10 kB long', 'a'.repeat(10_000)),
  named('100 kB long', 'a'.repeat(100_000)),
];

/** Polls get this. */
const polled = (
  name: string,
  steps: (host: string) => readonly Step[],
  rest: Pick<Fault, 'reported' | 'times' | 'timeoutMs'>,
): Fault => ({ ...only, name: `job polled: ${name}`, play: (_mode, host) => ({ poll: steps(host) }), ...rest });

const then = (name: string, steps: () => readonly Step[]): Fault =>
  polled(`${name}, then good`, steps, { times: 2, reported: { ...done, polls: 3 } });
const always = (name: string, steps: () => readonly Step[]): Fault =>
  polled(`${name}, always`, steps, { timeoutMs: hurriedJob, reported: lateJob });
const passing = (name: string, steps: () => readonly Step[]): readonly Fault[] => [
  then(name, steps),
  always(name, steps),
];

/** Polls that something other than the service responds to: for ever, they leave open what became of the job. */
const foreign = (name: string, steps: (headers: Record<string, string>) => readonly Step[]): readonly Fault[] => [
  then(name, () => steps(soon)),
  polled(`${name}, always`, () => steps(later), { timeoutMs: lasting, reported: unknownJob }),
];

const html = { 'content-type': 'text/html' };
const early = (): Buffer => {
  const { body, early: at } = carrierOf('agent-background');
  return body.subarray(0, at);
};

const passingPolls: readonly Fault[] = [
  ...passing('queued', () => jsonReply(200, pending('queued'), soon)),
  ...passing('in_progress', () => jsonReply(200, pending('in_progress'), soon)),
  ...passing('in_progress, with a call that has no image yet', () =>
    jsonReply(200, pending('in_progress', { output: [imageCall(null, { status: 'generating' })] }), soon),
  ),
  ...passing('408', () => reply(408, soon, '')),
  ...passing('429', () => errorReply(429, { code: '429' }, soon)),
  ...passing('500', () => errorReply(500, { code: 'server_error' }, soon)),
  ...passing('502 as HTML', () => reply(502, { ...html, ...soon }, '<h1>upstream-text-canary</h1>')),
  ...passing('503 busy', () => errorReply(503, { code: 'busy' }, soon)),
  ...passing('a reset', () => [reset]),
  then('FIN before the image', () => [write(Buffer.concat([Buffer.from(head(200, json)), early()])), fin]),
];

const foreignPolls: readonly Fault[] = [
  ...foreign('a cut state', (headers) => reply(200, { ...json, ...headers }, '{"id":"resp_one","status":"in_pro')),
  ...foreign('404', (headers) => errorReply(404, { code: 'not_found' }, headers)),
  ...foreign('302', (headers) => reply(302, { ...headers, location: '/elsewhere' }, '')),
  ...foreign('401 with a static key', (headers) => errorReply(401, { code: '401' }, headers)),
  ...foreign('403', (headers) => errorReply(403, { code: 'AuthorizationFailed' }, headers)),
  ...foreign('204', (headers) => reply(204, headers, '')),
  ...foreign('HTML', (headers) => reply(200, { ...html, ...headers }, '<h1>upstream-text-canary</h1>')),
  ...foreign('empty', (headers) => reply(200, { ...json, ...headers }, '')),
];

const finalPolls: readonly Fault[] = [
  polled('hanging', () => [], { timeoutMs: hurriedJob, reported: lateJob }),
  polled('a byte now and then', () => [write(head(200, json)), ...drip(early(), 100)], {
    timeoutMs: hurriedJob,
    reported: lateJob,
  }),
  polled('an hour to wait', () => jsonReply(200, pending('queued'), { 'retry-after': '3600' }), {
    timeoutMs: hurriedJob,
    reported: { ...lateJob, polls: 1 },
  }),
  polled('another id, also a hostile one', () => jsonReply(200, { ...drawn(tinyPng), id: '../x' }), { reported: done }),
  polled('pending, with a hostile id, then good', () => jsonReply(200, pending('queued', { id: '../x' }), soon), {
    times: 2,
    reported: { ...done, polls: 3 },
  }),
  polled('a response twice', () => [...jsonReply(200, drawn(tinyPng)), ...jsonReply(200, drawn(tinyPng))], {
    reported: done,
  }),
  polled('the end is late', () => [wait(700), ...jsonReply(200, drawn(tinyPng))], { reported: { ...done, polls: 1 } }),
];

export const agentJobExtras: readonly Fault[] = [...starts, ...ids, ...passingPolls, ...foreignPolls, ...finalPolls];
