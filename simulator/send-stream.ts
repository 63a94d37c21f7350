import type { OutgoingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { type AnswerBody, bodySequence } from './answer-body.ts';
import { breaksConnection, pauseBeforeReset } from './broken-answers.ts';
import type { Scenario } from './choose-scenario.ts';
import { frameEvent, frameLines, smallPieces, streamHead } from './event-framing.ts';
import { contentTypeIn, sendBytes } from './send-answer.ts';
import type { StreamStep } from './stream-scripts.ts';

/** A stream under way: `gone` fires when the client has left, `reset` breaks its connection. */
type Stage = { readonly gone: AbortSignal; readonly partialMs: number; reset(): void };

const maxWait = 2 ** 31 - 1;

/** Sends a stream of events (CONTRACTS §2.2) with a pause of `partialMs` between them, the way the scenario wants it. */
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
  // The headers come at once: the first image may take long, and nothing is sent before it (CONTRACTS §3.2).
  raw.flushHeaders();
  const stage = { gone: left.signal, partialMs, reset: () => raw.socket?.resetAndDestroy() };
  try {
    await pipeline(Readable.from(play(steps, scenario, stage)), raw);
  } catch {
    // The client has left, or the scenario has broken the connection: there is nobody to tell.
  }
  return reply;
}

function bodyOf(step: StreamStep, { name }: Scenario): AnswerBody {
  if (step.kind === 'event') return frameEvent(step, name);
  return frameLines(step.kind === 'lines' ? step.lines : [], name);
}

function wholeStream(steps: readonly StreamStep[], scenario: Scenario): AnswerBody {
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
