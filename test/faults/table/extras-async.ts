import { errorReply, head, jsonReply, reply } from '../http-text.ts';
import { carrierOf, later, submitHeaders, succeeded } from '../modes.ts';
import { fin, reset, type Step, write } from '../script.ts';
import { expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { hurriedJob, lasting } from './playing.ts';

/** What only the asynchronous flow can meet: between its submit, its polls, and the download of its image. */
const only = { modes: ['C'] } as const;

const soon = { 'retry-after-ms': '1' };
const withUrl = (url: string): unknown => ({ status: 'succeeded', result: { created: 1, data: [{ url }] } });

/** The submit names this place to poll. */
const located = (
  name: string,
  location: (host: string) => string | undefined,
  reported: Fault['reported'],
  body: object = { id: 'one' },
): Fault => ({
  ...only,
  name,
  play: (_mode, host) => {
    const url = location(host);
    const { 'operation-location': _usual, ...rest } = submitHeaders(host);
    return {
      post: jsonReply(202, body, { ...rest, ...(url !== undefined && { 'operation-location': url }) }),
    };
  },
  reported,
});

const path = '/openai/operations/images/one?api-version=2023-06-01-preview';

const locations: readonly Fault[] = [
  located('operation-location missing, the id in the body', () => undefined, expected.done),
  located('operation-location missing, no id in the body', () => undefined, expected.invalid, {}),
  located('operation-location missing, a path for an id', () => undefined, expected.invalid, { id: '../one' }),
  located('operation-location missing, an error in the body', () => undefined, expected.contentRefused, {
    error: { code: 'contentFilter', message: 'upstream-text-canary' },
  }),
  located('operation-location at a foreign host', () => `https://evil.example${path}`, expected.done),
  located('operation-location by http', (host) => `http://${host}${path}`, expected.done),
  located('operation-location relative', () => path, expected.done),
  located('operation-location at another path', (host) => `https://${host}/elsewhere/one`, expected.done),
  located('operation-location without an id', (host) => `https://${host}/openai/`, expected.done),
  located('no id anywhere', (host) => `https://${host}/openai/`, expected.invalid, { status: 'running' }),
];

/** A poll, or the download, gets this. */
const respondedAt =
  (place: 'poll' | 'result') =>
  (name: string, steps: (host: string) => Step[], rest: Pick<Fault, 'reported' | 'times' | 'timeoutMs'>): Fault => ({
    ...only,
    name,
    play: (_mode, host) => ({ [place]: steps(host) }),
    ...rest,
  });
const polled = respondedAt('poll');
const downloaded = respondedAt('result');

const state =
  (status: string, members: object = {}) =>
  () =>
    jsonReply(200, { status, ...members }, soon);
const notYet = { times: 3, reported: expected.done };
const lateIn = { timeoutMs: hurriedJob, reported: expected.late };
/** No poll says anything about the job, as long as there is time. */
const isUnknown = { timeoutMs: lasting, reported: expected.unknown };

const html = { ...soon, 'content-type': 'text/html' };
const ofLength = (length: number) => ({ status: 'running', text: 'a'.repeat(length) });

const polls: readonly Fault[] = [
  polled('operation failed', state('failed', { error: { code: 'server_error', message: 'upstream-text-canary' } }), {
    reported: expected.failed,
  }),
  polled('operation canceled', state('canceled'), { reported: expected.unknown }),
  polled('operation deleted', state('deleted'), { reported: expected.invalid }),
  polled('operation of an unknown status', state('upstream-text-canary'), { reported: expected.invalid }),
  polled('operation that never ends', state('running'), lateIn),
  polled('404 on polls, then good', () => errorReply(404, { code: '404' }, soon), notYet),
  polled('404 on polls, always', () => errorReply(404, { code: '404' }, later), isUnknown),
  polled('429 on polls, then good', () => errorReply(429, { code: '429' }, soon), notYet),
  polled('429 on polls, always', () => errorReply(429, { code: '429' }, soon), lateIn),
  polled('500 on polls, then good', () => reply(500, soon, ''), notYet),
  polled('503 on polls, always', () => errorReply(503, { code: 'busy' }, soon), lateIn),
  polled('reset polls, then good', () => [reset], { times: 2, reported: expected.done }),
  polled('reset polls, always', () => [reset], lateIn),
  polled('hanging polls', () => [], lateIn),
  polled('cut polls, then good', () => [write(head(200, { 'content-length': '99' })), fin], {
    times: 2,
    reported: expected.done,
  }),
  polled('302 on polls', (host) => reply(302, { ...later, location: `https://${host}/elsewhere` }, ''), isUnknown),
  polled('302 on polls, then good', (host) => reply(302, { location: `https://${host}/elsewhere` }, ''), notYet),
  polled('401 on polls', () => errorReply(401, { code: '401' }, later), isUnknown),
  polled('401 on polls, then good', () => errorReply(401, { code: '401' }), notYet),
  polled('HTML on polls, then good', () => reply(200, html, '<h1>upstream-text-canary</h1>'), notYet),
  polled('malformed polls, then good', () => reply(200, soon, '{"status":'), notYet),
  polled('polls of 2 MB', () => jsonReply(200, ofLength(2_000_000), later), isUnknown),
  polled('a poll of 10 MB, then good', () => jsonReply(200, ofLength(10_000_000), soon), { ...notYet, times: 1 }),
];

const isLost = { timeoutMs: lasting, reported: expected.resultLost };

const { headers: png, body: image } = carrierOf('C');
const whole = { ...png, 'content-length': String(image.length), etag: '"one"' };

const cutAt = (length: number): Step[] => [
  write(Buffer.concat([Buffer.from(head(200, whole)), image.subarray(0, length)])),
  fin,
];

const restFrom = (length: number): Step[] =>
  reply(
    206,
    { ...png, etag: '"one"', 'content-range': `bytes ${length}-${image.length - 1}/${image.length}` },
    image.subarray(length),
  );

const downloads: readonly Fault[] = [
  downloaded('download 403', () => reply(403, {}, 'upstream-text-canary'), isLost),
  downloaded('download 403, then good', () => reply(403, {}, 'upstream-text-canary'), {
    times: 2,
    reported: expected.done,
  }),
  downloaded('download 404', () => reply(404, {}, 'upstream-text-canary'), isLost),
  downloaded('download 404, then good', () => reply(404, {}, 'upstream-text-canary'), {
    times: 2,
    reported: expected.done,
  }),
  downloaded('download 410', () => reply(410, {}, ''), isLost),
  downloaded('download 500, then good', () => reply(500, {}, ''), { times: 2, reported: expected.done }),
  downloaded('download 500, always', () => reply(500, {}, ''), isLost),
  downloaded('download 429, then good', () => reply(429, {}, ''), { times: 1, reported: expected.done }),
  downloaded('download reset, then good', () => [reset], { times: 2, reported: expected.done }),
  downloaded('download cut, then whole', () => cutAt(40), { times: 2, reported: expected.done }),
  downloaded('download cut before it is an image, then whole', () => cutAt(4), { times: 2, reported: expected.done }),
  {
    ...only,
    name: 'download cut, then the range that is missing',
    play: (_mode, _host, _index, { headers }) => ({ result: headers.range === undefined ? cutAt(40) : restFrom(40) }),
    reported: expected.done,
  },
  downloaded(
    'download of HTML',
    () => reply(200, { 'content-type': 'text/html' }, '<h1>upstream-text-canary</h1>'),
    isLost,
  ),
  downloaded(
    'download of HTML, then good',
    () => reply(200, { 'content-type': 'text/html' }, '<h1>upstream-text-canary</h1>'),
    { times: 2, reported: expected.done },
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
  downloaded('download that hangs', () => [], isLost),
];

/** The operation has succeeded, and its result lies here. */
const liesAt = (name: string, url: (host: string) => string): Fault =>
  polled(name, (host) => jsonReply(200, withUrl(url(host))), { reported: expected.resultLost });

const links: readonly Fault[] = [
  liesAt('result at a private address', () => 'https://10.0.0.1/one.png'),
  liesAt('result at the metadata address', () => 'http://169.254.169.254/latest'),
  liesAt('result at a host that is not on the list', () => 'https://images.example/one.png'),
  liesAt('result at another port', () => 'https://127.0.0.1:1/one.png'),
  polled('result without a link', () => jsonReply(200, { status: 'succeeded', result: { data: [{}] } }), {
    reported: expected.invalid,
  }),
  polled('result twice', (host) => [...jsonReply(200, succeeded(host)), ...jsonReply(200, succeeded(host))], {
    reported: expected.done,
  }),
];

export const asyncExtras: readonly Fault[] = [...locations, ...polls, ...downloads, ...links];
