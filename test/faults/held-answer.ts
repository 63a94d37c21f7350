import { pending } from './agent-wire.ts';
import type { Answer, Script } from './fault-server.ts';
import { head, jsonReply } from './http-text.ts';
import { answerIn, type Carrier, carrierOf, goodAnswer, type Mode } from './modes.ts';
import { isPaidCall, type Request } from './read-requests.ts';
import { after, fin, type Step, write } from './script.ts';

/** Where an upstream stops until it is told to go on. */
export type Place = 'before headers' | 'before the image' | 'in the image';

/** An upstream that stops for requests with this word in them; `goOn` lets it finish what it has begun. */
export function holding(mode: Mode, place: Place, word: string): { readonly script: Script; goOn(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isOver = false;
  const answer = (request: Request): Answer => {
    const isHeld = request.method === 'GET' || request.body.includes(word);
    if (!isHeld || isOver) return goodAnswer(mode, request);
    return { steps: held(mode, place, request, promise), isBilled: isPaidCall(request) };
  };
  return {
    script: { welcome: 'serve', answer },
    goOn() {
      isOver = true;
      resolve();
    },
  };
}

function held(mode: Mode, place: Place, request: Request, event: Promise<void>): readonly Step[] {
  const carrier = carrierOf(mode);
  if (place === 'before headers') {
    if (request.method === 'GET') return answerIn(mode, request);
    return [after(event), ...answerIn(mode, request)];
  }
  if (place === 'in the image') return answerIn(mode, request, { result: paused(carrier, carrier.late, event) });
  // Neither the asynchronous flow nor an agent's job has an image before it has ended.
  if (mode === 'C')
    return answerIn(mode, request, { poll: jsonReply(200, { status: 'running' }, { 'retry-after-ms': '1' }) });
  if (mode === 'agent-background')
    return answerIn(mode, request, { poll: jsonReply(200, pending('in_progress'), { 'retry-after-ms': '1' }) });
  return answerIn(mode, request, { result: paused(carrier, carrier.early, event) });
}

function paused({ headers, body }: Carrier, at: number, event: Promise<void>): Step[] {
  const length = { 'content-length': String(body.length) };
  const begin = Buffer.concat([Buffer.from(head(200, { ...headers, ...length })), body.subarray(0, at)]);
  return [write(begin), after(event), write(body.subarray(at)), fin];
}
