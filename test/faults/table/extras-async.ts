import { errorReply, head, jsonReply, reply } from '../http-text.ts';
import { submitHeaders, succeeded } from '../modes.ts';
import { fin, reset, type Step, write } from '../script.ts';
import { expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { hurriedJob } from './playing.ts';

/** What only the asynchronous flow can meet: between its submit, its polls, and the download of its picture. */
const only = { modes: ['C'] } as const;

const soon = { 'retry-after-ms': '1' };
const withUrl = (url: string): unknown => ({ status: 'succeeded', result: { created: 1, data: [{ url }] } });

/** The submit names this place to poll. */
const located = (name: string, location: (host: string) => string | undefined, told: Fault['told']): Fault => ({
  ...only,
  name,
  play: (_mode, host) => {
    const url = location(host);
    const { 'operation-location': _usual, ...rest } = submitHeaders(host);
    return {
      post: jsonReply(202, { id: 'one' }, { ...rest, ...(url !== undefined && { 'operation-location': url }) }),
    };
  },
  told,
});

const path = '/openai/operations/images/one?api-version=2023-06-01-preview';

const locations: readonly Fault[] = [
  located('operation-location missing, the id in the body', () => undefined, expected.invalid),
  located('operation-location at a foreign host', () => `https://evil.example${path}`, expected.done),
  located('operation-location by http', (host) => `http://${host}${path}`, expected.done),
  located('operation-location relative', () => path, expected.done),
  located('operation-location at another path', (host) => `https://${host}/elsewhere/one`, expected.invalid),
  located('operation-location without an id', (host) => `https://${host}/openai/`, expected.invalid),
];

/** A poll, or the download, is answered like this. */
const answeredAt =
  (place: 'poll' | 'result') =>
  (name: string, steps: (host: string) => Step[], rest: Pick<Fault, 'told' | 'times' | 'timeoutMs'>): Fault => ({
    ...only,
    name,
    play: (_mode, host) => ({ [place]: steps(host) }),
    ...rest,
  });
const polled = answeredAt('poll');
const downloaded = answeredAt('result');

const state =
  (status: string, members: object = {}) =>
  () =>
    jsonReply(200, { status, ...members }, soon);
const notYet = { times: 3, told: expected.done };
const lateIn = { timeoutMs: hurriedJob, told: expected.late };

const polls: readonly Fault[] = [
  polled('operation failed', state('failed', { error: { code: 'server_error', message: 'upstream-text-canary' } }), {
    told: expected.failed,
  }),
  polled('operation canceled', state('canceled'), { told: expected.failed }),
  polled('operation deleted', state('deleted'), { told: expected.invalid }),
  polled('operation of an unknown status', state('upstream-text-canary'), { told: expected.invalid }),
  polled('operation that never ends', state('running'), lateIn),
  polled('404 on polls, then good', () => errorReply(404, { code: '404' }, soon), notYet),
  polled('404 on polls, always', () => errorReply(404, { code: '404' }), { told: expected.unknown }),
  polled('429 on polls, then good', () => errorReply(429, { code: '429' }, soon), notYet),
  polled('429 on polls, always', () => errorReply(429, { code: '429' }, soon), lateIn),
  polled('500 on polls, then good', () => reply(500, soon, ''), notYet),
  polled('503 on polls, always', () => errorReply(503, { code: 'busy' }, soon), lateIn),
  polled('reset polls, then good', () => [reset], { times: 2, told: expected.done }),
  polled('reset polls, always', () => [reset], lateIn),
  polled('hanging polls', () => [], lateIn),
  polled('cut polls, then good', () => [write(head(200, { 'content-length': '99' })), fin], {
    times: 2,
    told: expected.done,
  }),
  polled('302 on polls', (host) => reply(302, { location: `https://${host}/elsewhere` }, ''), {
    told: expected.unknown,
  }),
  polled('401 on polls', () => errorReply(401, { code: '401' }), { told: expected.unknown }),
  polled('a poll of 10 MB', () => jsonReply(200, { status: 'running', text: 'a'.repeat(10_000_000) }), {
    told: expected.invalid,
  }),
];

const png = { 'content-type': 'image/png' };
const isLost = { told: expected.resultLost };

const downloads: readonly Fault[] = [
  downloaded('download 403', () => reply(403, {}, 'upstream-text-canary'), isLost),
  downloaded('download 404', () => reply(404, {}, 'upstream-text-canary'), isLost),
  downloaded('download 410', () => reply(410, {}, ''), isLost),
  downloaded('download 500, then good', () => reply(500, {}, ''), { times: 2, told: expected.done }),
  downloaded('download 500, always', () => reply(500, {}, ''), isLost),
  downloaded('download 429, then good', () => reply(429, {}, ''), { times: 1, told: expected.done }),
  downloaded('download reset, then good', () => [reset], { times: 2, told: expected.done }),
  downloaded(
    'download of HTML',
    () => reply(200, { 'content-type': 'text/html' }, '<h1>upstream-text-canary</h1>'),
    isLost,
  ),
  downloaded('download of nothing', () => reply(200, png, ''), isLost),
  downloaded(
    'download that says it is too long',
    () => [write(head(200, { ...png, 'content-length': '70000000' })), fin],
    isLost,
  ),
  downloaded('download that redirects', (host) => reply(302, { location: `https://${host}/elsewhere` }, ''), isLost),
  downloaded(
    'download that is compressed',
    () => reply(200, { ...png, 'content-encoding': 'gzip' }, 'whatever'),
    isLost,
  ),
  downloaded('download that hangs', () => [], lateIn),
];

/** The operation has succeeded, and its result lies here. */
const liesAt = (name: string, url: (host: string) => string): Fault =>
  polled(name, (host) => jsonReply(200, withUrl(url(host))), isLost);

const links: readonly Fault[] = [
  liesAt('result at a private address', () => 'https://10.0.0.1/one.png'),
  liesAt('result at the metadata address', () => 'http://169.254.169.254/latest'),
  liesAt('result at a host that is not on the list', () => 'https://pictures.example/one.png'),
  liesAt('result at another port', () => 'https://127.0.0.1:1/one.png'),
  polled('result without a link', () => jsonReply(200, { status: 'succeeded', result: { data: [{}] } }), {
    told: expected.invalid,
  }),
  polled('result twice', (host) => [...jsonReply(200, succeeded(host)), ...jsonReply(200, succeeded(host))], {
    told: expected.done,
  }),
];

export const asyncExtras: readonly Fault[] = [...locations, ...polls, ...downloads, ...links];
