import { tinyPng } from '../../fixtures/images.ts';
import { errorReply, head, jsonReply, reply } from '../http-text.ts';
import { carrierOf, variants } from '../modes.ts';
import { fin, reset, type Step, write } from '../script.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atPost, hurried, json, lostJob, noticed } from './playing.ts';

/** Silence that is longer than a body may be silent, well within the deadline. */
const idle: Fault = {
  name: 'a body that falls silent',
  modes: ['A', 'B', 'E', 'F', 'agent', 'agent-background'],
  upstreamTimes: { bodyIdleMs: 300 },
  play: (mode) => {
    const { headers, body, early } = carrierOf(mode);
    // Polls so far apart that the last one has time to end.
    const more = { 'content-length': String(body.length), 'retry-after-ms': '4000' };
    return { result: [write(head(200, { ...headers, ...more }) + body.toString('latin1', 0, early))] };
  },
  reported: expected.unknown,
  exceptions: lostJob,
};

const filtered = { error: { code: 'contentFilter', message: 'upstream-text-canary' } };

/** The head of the response has gone out with the first image. */
const filteredLate: Fault = {
  name: 'a filtered item behind an image',
  modes: ['A', 'B', 'E', 'F'],
  play: () => ({ post: jsonReply(200, { created: 1, data: [{ b64_json: tinyPng }, filtered] }) }),
  reported: expected.truncated,
};

const errorOf = (code: string, members: object = {}) => ({ code, message: 'upstream-text-canary', ...members });
const userError = errorOf('invalid_value', { type: 'image_generation_user_error', param: 'prompt' });

/** A success that is none: it is judged as the same error with its own status. */
const inSuccess = (name: string, body: object, reported: Expected): Fault => ({
  name: `200, but ${name}`,
  modes: ['A', 'B', 'D', 'E', 'F'],
  play: () => ({ post: jsonReply(200, { created: 1, ...body }) }),
  reported,
});

const errorsInSuccess: readonly Fault[] = [
  inSuccess('an error of the service', { error: errorOf('server_error') }, expected.failed),
  inSuccess('an error of the load', { error: errorOf('rate_limit_exceeded') }, expected.limited),
  inSuccess('an error of its caller', { error: userError }, { ...expected.valueRefused, param: 'prompt' }),
  inSuccess('an error that nobody knows', { error: errorOf('upstream-text-canary') }, expected.invalid),
  inSuccess('nothing but a failed item', { data: [{ error: errorOf('server_error') }] }, expected.failed),
];

const broken = (name: string, steps: () => Step[]): Fault => ({
  name: `a 500 with an error object that ${name}`,
  modes: ['A', 'B', 'C', 'D', 'E', ...variants],
  play: atPost(steps),
  reported: expected.unknown,
});

const errorText = '{"error":{"code":"server_error","message":"upstream-text-canary"}}';
const errorHead = (length: number): string => head(500, { ...json, 'content-length': String(length) });

/** Half an error says nothing: what cut it may have cut anything. */
const brokenErrors: readonly Fault[] = [
  broken('ends with its connection', () => [write(head(500, json) + errorText), fin]),
  broken('is cut', () => [write(errorHead(errorText.length + 9) + errorText), fin]),
  broken('is reset', () => [write(errorHead(errorText.length + 9) + errorText), noticed, reset]),
  broken('is too long', () => errorReply(500, { code: 'server_error', text: 'a'.repeat(70_000) })),
  broken('is never complete', () => [write(errorHead(errorText.length + 9) + errorText)]),
];

const manyHeaders: Fault = {
  name: '40 KiB of headers',
  modes: ['A', 'B', 'D', 'E', 'F', ...variants],
  play: (mode) => {
    const { headers, body } = carrierOf(mode);
    return { result: reply(200, { ...headers, 'x-long': 'a'.repeat(40_000) }, body) };
  },
  reported: expected.done,
};

/** Connecting takes longer than there is time. */
const deafBeyondDeadline: Fault = {
  name: 'silent TLS beyond the deadline',
  modes: ['A', 'C', 'D', 'E', ...variants],
  welcome: 'silence',
  timeoutMs: hurried,
  // An abort is not obeyed while connecting: the socket goes with this.
  upstreamTimes: { connectMs: 2_000 },
  reported: {
    status: 504,
    code: 'deadline_exceeded',
    end: 'not-processed',
    attempts: 1,
    received: 0,
    accepted: 0,
    // Nothing was sent: its caller may well retry.
    sdkCalls: 3,
  },
};

export const otherExtras: readonly Fault[] = [
  idle,
  filteredLate,
  ...errorsInSuccess,
  ...brokenErrors,
  manyHeaders,
  deafBeyondDeadline,
];
