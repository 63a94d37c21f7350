import type { OutgoingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { Scenario } from './choose-scenario.ts';
import type { Members } from './images-response.ts';
import { bodySequence, bytesBody, joinBody, jsonBody, type ResponseBytes } from './response-bytes.ts';
import type { ScenarioName } from './scenarios.ts';
import { breaksConnection, contentTypeIn, pauseBeforeReset, sendBytes } from './send-response.ts';
import type { StreamEvent, StreamStep } from './stream-steps.ts';

/** A stream under way: `gone` fires when the client has left, `reset` breaks its connection. */
type Stage = { readonly gone: AbortSignal; readonly partialMs: number; reset(): void };

const maxWait = 2 ** 31 - 1;

/** Sends a stream of events with a pause of `partialMs` between them, the way the scenario wants it. */
export async function sendStream(
  reply: FastifyReply,
  steps: readonly StreamStep[],
  scenario: Scenario,
  partialMs: number,
): Promise<FastifyReply> {
  const contentType = contentTypeIn(scenario, 'text/event-stream');
  reply.header('cache-control', 'no-cache');
  // What breaks or delays any body does it to this one, too.
  if (breaksConnection(scenario.name) || scenario.name === 'slow-body') {
    return sendBytes(reply, 200, contentType, wholeStream(steps, scenario), scenario);
  }
  reply.hijack();
  const { raw } = reply;
  const left = new AbortController();
  raw.once('close', () => left.abort());
  raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), 'content-type': contentType });
  // The headers come at once: the first image may take long, and nothing is sent before it.
  raw.flushHeaders();
  const stage = { gone: left.signal, partialMs, reset: () => raw.socket?.resetAndDestroy() };
  try {
    await pipeline(Readable.from(play(steps, scenario, stage)), raw);
  } catch {
    // The client has disconnected, or the scenario has broken the connection: no response is possible.
  }
  return reply;
}

function bodyOf(step: StreamStep, { name }: Scenario): ResponseBytes {
  if (step.kind === 'event') return frameEvent(step, name);
  return frameLines(step.kind === 'lines' ? step.lines : [], name);
}

function wholeStream(steps: readonly StreamStep[], scenario: Scenario): ResponseBytes {
  return bodySequence(streamHead(scenario.name), ...steps.map((step) => bodyOf(step, scenario)));
}

async function* play(steps: readonly StreamStep[], scenario: Scenario, stage: Stage): AsyncIterable<Buffer> {
  yield* streamHead(scenario.name).pieces();
  let events = 0;
  for (const step of steps) {
    if (step.kind === 'event' && events++ > 0) await pause(stage.partialMs, stage);
    switch (step.kind) {
      case 'reset':
        await pause(pauseBeforeReset, stage);
        return stage.reset();
      case 'stall':
        await pause(maxWait, stage);
        break;
      case 'stall-comments':
        yield* commentsForEver(scenario, stage);
        break;
      default:
        yield* scenario.name === 'stream-split' ? smallPieces(bodyOf(step, scenario)) : bodyOf(step, scenario).pieces();
    }
  }
}

async function* commentsForEver({ name }: Scenario, stage: Stage): AsyncIterable<Buffer> {
  for (;;) {
    yield* frameLines([': keep-alive', ''], name).pieces();
    await pause(stage.partialMs, stage);
  }
}

function pause(milliseconds: number, { gone }: Stage): Promise<void> {
  return wait(milliseconds, undefined, { ref: false, signal: gone });
}

type Framing = {
  readonly lineEnd: string;
  readonly withName: boolean;
  readonly arrange: (members: Members) => Members;
};

const defaultFraming: Framing = { lineEnd: '\n', withName: true, arrange: (members) => members };

function imageFirst({ type, b64_json, partial_image_b64, ...rest }: Members): Members {
  return { b64_json, partial_image_b64, ...rest, type };
}

const framings: Partial<Record<ScenarioName, Partial<Framing>>> = {
  'stream-crlf': { lineEnd: '\r\n' },
  'stream-cr': { lineEnd: '\r' },
  'stream-no-event-names': { withName: false },
  'stream-late-members': { arrange: imageFirst },
  'agent-late-members': { arrange: imageFirst },
  // Characters of two to four bytes, so that a cut can fall into one.
  'stream-split': { arrange: (members) => ({ ...members, note: 'Grüße ☃ 😀' }) },
};

/** The bytes before the first line: one scenario has a mark there, which a reader has to skip. */
function streamHead(scenario: ScenarioName): ResponseBytes {
  return bytesBody(...(scenario === 'stream-bom' ? [Buffer.from('\ufeff')] : []));
}

/** Writes lines as they are, each with the line end of the scenario. */
function frameLines(lines: readonly string[], scenario: ScenarioName): ResponseBytes {
  const { lineEnd } = { ...defaultFraming, ...framings[scenario] };
  return bytesBody(Buffer.from(lines.map((line) => `${line}${lineEnd}`).join('')));
}

/** Writes an event: its name, one data line, an empty line. */
function frameEvent({ name, members, images = [] }: StreamEvent, scenario: ScenarioName): ResponseBytes {
  const { lineEnd, withName, arrange } = { ...defaultFraming, ...framings[scenario] };
  const head = withName ? `event: ${name}${lineEnd}` : '';
  const tail = Buffer.from(`${lineEnd}${lineEnd}`);
  if (scenario === 'escaped') {
    const text = joinBody(jsonBody(members, images, 'escaped')).toString();
    // A line break within data begins another data line, and the reader puts them together again.
    const data = text.split(/\r\n|\n/).map((line) => `data: ${line}`);
    return bytesBody(Buffer.from(`${head}${data.join(lineEnd)}`), tail);
  }
  return bodySequence(bytesBody(Buffer.from(`${head}data: `)), jsonBody(arrange(members), images), bytesBody(tail));
}

const finelySplit = 600;
const pieceLengths = [1, 2, 3, 997, 64, 1, 511];

/** The same bytes in other pieces: one by one at both ends, where names and members are, in odd lengths between. */
function* smallPieces(body: ResponseBytes): Iterable<Buffer> {
  const bytes = joinBody(body);
  let round = 0;
  for (let start = 0; start < bytes.length; ) {
    const isInside = start >= finelySplit && start < bytes.length - finelySplit;
    const length = isInside ? (pieceLengths[round++ % pieceLengths.length] ?? 1) : 1;
    yield bytes.subarray(start, start + length);
    start += length;
  }
}
