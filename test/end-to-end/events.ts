import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { eventText } from '../helpers/event-text.ts';

export type StreamEvent = {
  readonly name: string;
  /** The members of the event's one line of data. */
  readonly data: Record<string, unknown> & { readonly b64_json?: string; readonly error?: { readonly code: string } };
};

/** The events of a whole stream. Throws when it is not written as OpenAI does: name, one line of data, an empty line. */
export function readEvents(text: string): StreamEvent[] {
  const blocks = text.split('\n\n');
  if (blocks.pop() !== '') throw new Error('the stream ends amid an event');
  return blocks.filter((block) => block !== ':').map(readEvent);
}

function readEvent(block: string): StreamEvent {
  // In the middle of an image an error comes after the line of data, and the last name counts.
  const [, first, data, last] = /^event: (\S+)\ndata: (.+?)(?:\nevent: (\S+))?$/.exec(block) ?? [];
  const name = last ?? first;
  if (name === undefined || data === undefined) throw new Error(`no event: ${block.slice(0, 200)}`);
  return { name, data: JSON.parse(data) };
}

export type CalledStream = Called & { readonly events: readonly StreamEvent[] };

/** One streamed call of the gateway; `events` is empty when the response is an ordinary error. */
export async function streamGateway(url: string, body: Record<string, unknown>): Promise<CalledStream> {
  const called = await callGateway(url, { stream: true, ...body });
  return { ...called, events: called.status === 200 ? readEvents(called.text) : [] };
}

/** One event in a few words: `partial 0`, `completed`, or `error` with its code. */
export function inWords({ name, data }: StreamEvent): string {
  if (name === 'image_generation.partial_image') return `partial ${data.partial_image_index}`;
  return name === 'error' ? `error ${data.error?.code}` : name.replace('image_generation.', '');
}

export const partial = (members: Record<string, unknown>) => eventText('image_generation.partial_image', members);
export const completed = (members: Record<string, unknown>) => eventText('image_generation.completed', members);
