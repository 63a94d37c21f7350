import { head, reply } from './http-text.ts';
import { fin, type Step, wait, write } from './script.ts';

/** The headers of a stream of events. */
export const eventStream = { 'content-type': 'text/event-stream' };

export const events = (...texts: readonly string[]): Step[] => reply(200, eventStream, texts.join(''));

/** Until the connection closes, as streams usually are. */
export const unframed = (...texts: readonly string[]): Step[] => [write(head(200, eventStream) + texts.join('')), fin];

export function commentsFor(ms: number): Step[] {
  const steps = Array.from({ length: ms / 100 }, () => [write(': still there\n\n'), wait(100)]).flat();
  return [write(head(200, eventStream)), ...steps];
}
