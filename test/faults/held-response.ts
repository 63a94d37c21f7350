import { pending } from './agent-wire.ts';
import type { Script, ScriptedResponse } from './fault-server.ts';
import { head, jsonReply } from './http-text.ts';
import { type Carrier, carrierOf, goodResponse, type Mode, responseIn } from './modes.ts';
import { isPaidCall, type Request } from './read-requests.ts';
import { after, fin, type Step, write } from './script.ts';

/** Where an upstream stops until it is told to go on. */
export type Place = 'before headers' | 'before the image' | 'in the image';

/** An upstream that stops for requests with this word in them; `goOn` lets it finish what it has begun. */
export function holding(mode: Mode, place: Place, word: string): { readonly script: Script; goOn(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isOver = false;
  const respond = (request: Request): ScriptedResponse => {
    const isHeld = request.method === 'GET' || request.body.includes(word);
    if (!isHeld || isOver) return goodResponse(mode, request);
    return { steps: held(mode, place, request, promise), isBilled: isPaidCall(request) };
  };
  return {
    script: { welcome: 'serve', respond },
    goOn() {
      isOver = true;
      resolve();
    },
  };
}

function held(mode: Mode, place: Place, request: Request, event: Promise<void>): readonly Step[] {
  const carrier = carrierOf(mode);
  if (place === 'before headers') {
    if (request.method === 'GET') return responseIn(mode, request);
    return [after(event), ...responseIn(mode, request)];
  }
  if (place === 'in the image') return responseIn(mode, request, { result: paused(carrier, carrier.late, event) });
  // Neither the asynchronous flow nor an agent's job has an image before it has ended.
  if (mode === 'C')
    return responseIn(mode, request, { poll: jsonReply(200, { status: 'running' }, { 'retry-after-ms': '1' }) });
  if (mode === 'agent-background')
    return responseIn(mode, request, { poll: jsonReply(200, pending('in_progress'), { 'retry-after-ms': '1' }) });
  return responseIn(mode, request, { result: paused(carrier, carrier.early, event) });
}

function paused({ headers, body }: Carrier, at: number, event: Promise<void>): Step[] {
  const length = { 'content-length': String(body.length) };
  const begin = Buffer.concat([Buffer.from(head(200, { ...headers, ...length })), body.subarray(0, at)]);
  return [write(begin), after(event), write(body.subarray(at)), fin];
}
