import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { type AnswerBody, joinBody } from './answer-body.ts';
import type { PlainAnswer } from './azure-errors.ts';
import { breaksConnection, sendBroken } from './broken-answers.ts';
import type { Scenario } from './choose-scenario.ts';
import type { ScenarioName } from './scenarios.ts';

// Above this an answer is streamed instead of being put together first.
const largestJoinedBody = 4 * 1024 * 1024;

const otherContentTypes: Partial<Record<ScenarioName, string>> = {
  'text-plain': 'text/plain; charset=utf-8',
  'octet-stream': 'application/octet-stream',
};

/** The type that a scenario claims for an answer, which is usually the right one. */
export function contentTypeIn(scenario: Scenario, rightType: string): string {
  return otherContentTypes[scenario.name] ?? rightType;
}

/** What is left of a scenario for polls: what breaks a connection was played before, the type that is claimed shows. */
export function ofPoll(scenario: Scenario): Scenario {
  return otherContentTypes[scenario.name] === undefined ? { ...scenario, name: 'none' } : scenario;
}

/** Sends an answer that is neither an image nor broken. */
export function sendPlain(reply: FastifyReply, answer: PlainAnswer): FastifyReply {
  reply.code(answer.status).headers(answer.headers ?? {});
  if (answer.contentType !== undefined) reply.type(answer.contentType);
  return answer.body === undefined ? reply.send() : reply.send(answer.body);
}

/** Sends a JSON body the way the scenario wants it sent: whole, slowly, under another type, or broken. */
export async function sendJson(
  reply: FastifyReply,
  status: number,
  body: AnswerBody,
  scenario: Scenario,
): Promise<FastifyReply> {
  const contentType = contentTypeIn(scenario, 'application/json');
  // What shall befall the download must not befall the answer that holds the link.
  const own = scenario.reach === 'download' ? ({ ...scenario, name: 'none' } as const) : scenario;
  return sendBytes(reply, status, contentType, body, own);
}

/** Sends bytes of any type the way the scenario wants them sent. */
export async function sendBytes(
  reply: FastifyReply,
  status: number,
  contentType: string,
  body: AnswerBody,
  scenario: Scenario,
): Promise<FastifyReply> {
  if (breaksConnection(scenario.name)) {
    await sendBroken(reply, scenario.name, { status, contentType, bytes: joinBody(body) });
    return reply;
  }
  reply.code(status).type(contentType).header('content-length', body.byteLength);
  if (scenario.name === 'slow-body') return reply.send(Readable.from(pausedPieces(joinBody(body), scenario.value)));
  if (body.byteLength > largestJoinedBody) return reply.send(Readable.from(body.pieces()));
  return reply.send(joinBody(body));
}

async function* pausedPieces(bytes: Buffer, milliseconds: number): AsyncIterable<Buffer> {
  const middle = Math.floor(bytes.length / 2);
  yield bytes.subarray(0, middle);
  await wait(milliseconds, undefined, { ref: false });
  yield bytes.subarray(middle);
}
