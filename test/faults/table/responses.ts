import { gzipSync } from 'node:zlib';
import { tinyPng } from '../../fixtures/images.ts';
import { imageCall, pending, responseOf } from '../agent-wire.ts';
import { eventStream } from '../event-stream.ts';
import { jsonReply, message, reply } from '../http-text.ts';
import {
  carrierOf,
  completedEvent,
  foreignResponse,
  imagesText,
  isAgent,
  isStreamed,
  later,
  type Mode,
  type Places,
  submitHeaders,
  succeeded,
} from '../modes.ts';
import { fin, type Step, write } from '../script.ts';
import { expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atEnd, instead, json, lasting, lostJobs } from './playing.ts';

const noImage = Buffer.from('upstream-text-canary and no image').toString('base64');
const emptyData = { created: 1, data: [], status: 'succeeded' };
const emptyCall = responseOf([imageCall(null)]);
const cutPng = Buffer.from(tinyPng, 'base64').subarray(0, 48).toString('base64');

export const uselessResponses: readonly Fault[] = [
  {
    number: 31,
    name: 'malformed JSON',
    play: (mode) => {
      const text = '{"created":1,"data":[{b64_json}],"output":[{b64_json}]}';
      if (!isStreamed(mode)) return instead(() => reply(200, { ...json, ...later }, text))(mode);
      const [name, data] =
        mode === 'D' ? ['image_generation.completed', text] : ['response.completed', `{"response":${text}}`];
      return { post: reply(200, eventStream, `event: ${name}\ndata: ${data}\n\n`) };
    },
    reported: expected.invalid,
    exceptions: lostJobs,
  },
  {
    number: 32,
    name: '200, empty',
    play: instead(() => reply(200, { ...json, ...later }, '')),
    reported: expected.invalid,
    exceptions: lostJobs,
  },
  {
    number: 32,
    name: '200, no data',
    play: (mode) => instead(() => jsonReply(200, isAgent(mode) ? emptyCall : emptyData))(mode),
    reported: expected.invalid,
  },
  {
    number: 33,
    name: 'HTML as 200',
    play: instead(() => reply(200, { 'content-type': 'text/html', ...later }, '<h1>upstream-text-canary</h1>')),
    reported: expected.invalid,
    exceptions: lostJobs,
  },
  {
    number: 34,
    name: 'base64 that is no image',
    play: (mode) => ({ result: reply(200, carrierOf(mode).headers, carrierOf(mode, noImage).body) }),
    reported: expected.invalid,
    exceptions: { C: { reported: expected.resultLost, timeoutMs: lasting } },
  },
];

export const oddSuccesses: readonly Fault[] = [
  {
    number: 33,
    name: 'JSON as text/plain',
    play: (mode, host) => asPlainText(mode, host),
    reported: expected.done,
  },
  {
    number: 34,
    name: 'a cut PNG',
    play: (mode) => ({ result: reply(200, carrierOf(mode).headers, cutBody(mode)) }),
    reported: expected.doneCut,
  },
  {
    number: 35,
    name: '102 and 103 before the response',
    play: noise('102 Processing', '103 Early Hints'),
    reported: expected.done,
  },
  { number: 35, name: 'gzip unrequested', play: gzipped, reported: expected.done },
  { number: 35, name: '100 unrequested', play: noise('100 Continue'), reported: expected.unknown },
  {
    number: 36,
    name: 'an unsolicited second response',
    play: (mode, host) => ({ post: [...goodPost(mode, host), ...foreignResponse(mode)] }),
    reported: expected.done,
  },
];

const cutBody = (mode: Mode): Buffer => {
  if (mode === 'C') return Buffer.from(cutPng, 'base64');
  if (isAgent(mode)) return carrierOf(mode, cutPng).body;
  return Buffer.from(mode === 'D' ? completedEvent(cutPng) : imagesText(cutPng));
};

/** Head and body of the mode's good response to the paid POST. */
function postOf(mode: Mode, host: string): { status: number; headers: Record<string, string>; body: Buffer } {
  if (mode === 'C') return { status: 202, headers: submitHeaders(host), body: Buffer.from('{"id":"one"}') };
  if (mode === 'agent-background')
    return { status: 200, headers: json, body: Buffer.from(JSON.stringify(pending('queued'))) };
  const { headers, body } = carrierOf(mode);
  return { status: 200, headers: { ...headers }, body };
}

function goodPost(mode: Mode, host: string): Step[] {
  const { status, headers, body } = postOf(mode, host);
  return [write(message(status, headers, body))];
}

function asPlainText(mode: Mode, host: string): Partial<Places> {
  const plain = { 'content-type': 'text/plain' };
  if (mode === 'C') return { poll: reply(200, plain, JSON.stringify(succeeded(host))) };
  return atEnd(mode, reply(200, plain, carrierOf(mode).body));
}

function noise(...lines: readonly string[]): NonNullable<Fault['play']> {
  const interim = lines.map((line) => `HTTP/1.1 ${line}\r\n\r\n`).join('');
  return (mode, host) => ({ post: [write(interim), ...goodPost(mode, host), fin] });
}

function gzipped(mode: Mode, host: string): Partial<Places> {
  const packed = { 'content-encoding': 'gzip' };
  if (mode === 'C') return { poll: reply(200, { ...json, ...packed }, gzipSync(JSON.stringify(succeeded(host)))) };
  const { headers, body } = carrierOf(mode);
  return atEnd(mode, reply(200, { ...headers, ...packed }, gzipSync(body)));
}
