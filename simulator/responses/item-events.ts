import { imageMarker } from '../answer-body.ts';
import type { Image } from '../draw-image.ts';
import { echoOf, type Members } from '../images-answer.ts';
import type { StreamEvent } from '../stream-scripts.ts';
import type { OutputItem } from './output-items.ts';
import type { ResponseJob } from './response-job.ts';

/** The events of one item. Partial images belong between `begin` and `end`; `done` is one of `end`. */
export type ItemEvents = {
  readonly begin: readonly StreamEvent[];
  readonly end: readonly StreamEvent[];
  readonly done: StreamEvent;
  readonly isCall: boolean;
};

/** An event whose name is the type that it carries. */
export function typedEvent(type: string, members: Members, images: readonly Image[] = []): StreamEvent {
  return { kind: 'event', name: type, members: { type, ...members }, images };
}

/** The events that tell of an item, in order (CONTRACTS §3.4, stream events). */
export function itemEvents(item: OutputItem, position: number): ItemEvents {
  const isCall = item.members.type === 'image_generation_call';
  const place = { item_id: item.id, output_index: position };
  const { id, members } = item;
  const begun = { id, type: members.type, status: 'in_progress', ...(isCall ? { result: null } : { content: [] }) };
  const added = typedEvent('response.output_item.added', { output_index: position, item: begun });
  const done = typedEvent('response.output_item.done', { output_index: position, item: members }, item.images);
  if (!isCall) return { begin: [added], end: [...messageEvents(item, place), done], done, isCall };
  const progress = (state: string) => typedEvent(`response.image_generation_call.${state}`, place);
  const begin = [added, progress('in_progress'), progress('generating')];
  // The image is not in `completed`, but in what follows.
  const end = members.status === 'failed' ? [done] : [progress('completed'), done];
  return { begin, end, done, isCall };
}

function messageEvents({ members }: OutputItem, place: Members): StreamEvent[] {
  const [part] = members.content as [{ type: string; text?: string; refusal?: string }];
  const at = { ...place, content_index: 0 };
  const isRefusal = part.type === 'refusal';
  const type = `response.${part.type}`;
  const said = isRefusal ? part.refusal : part.text;
  return [
    typedEvent(`${type}.delta`, { ...at, delta: said }),
    typedEvent(`${type}.done`, { ...at, ...(isRefusal ? { refusal: said } : { text: said }) }),
  ];
}

/** An image amid its making; it belongs to the first item. */
export function partialEvent(job: ResponseJob, itemId: string, image: Image, index: number): StreamEvent {
  const members = {
    item_id: itemId,
    output_index: 0,
    partial_image_index: index,
    partial_image_b64: imageMarker,
    ...echoOf(job.image),
  };
  return typedEvent('response.image_generation_call.partial_image', members, [image]);
}
