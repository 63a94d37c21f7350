import { drawImage, type Image } from '../draw-image.ts';
import { partialOrdersOf } from '../image-job.ts';
import { echoOf, type Members } from '../images-response.ts';
import { imageMarker } from '../response-bytes.ts';
import { type StreamEvent, type StreamStep, scriptedSteps } from '../stream-steps.ts';
import { type OutputItem, outputItems, responseMembers } from './response-body.ts';
import { outcomeOf, type ResponseJob } from './response-job.ts';

/** What the stream of a response does, step by step, scenario included. */
export async function responseSteps(job: ResponseJob): Promise<readonly StreamStep[]> {
  const items = await outputItems(job);
  const [first, ...others] = items.map(itemEvents);
  const running = { response: responseMembers(job, 'in_progress', []) };
  const parts = {
    opening: [
      typedEvent('response.created', running),
      typedEvent('response.in_progress', running),
      ...(first?.begin ?? []),
    ],
    partials: first?.isCall ? await partialEvents(job, items) : [],
    closing: [
      ...(first ? endOf(job, first) : []),
      ...others.flatMap((item) => [...item.begin, ...endOf(job, item)]),
      endEvent(job, items),
    ],
    finished: first?.done,
    decoy: typedEvent('response.image_generation_call.rendering', {
      partial_image_b64: decoy,
      item: { type: 'image_generation_call', status: 'completed', result: decoy },
    }),
    requestId: job.requestId,
  };
  return numbered(scriptedSteps(job.image.scenario.name, parts));
}

const decoy = Buffer.from('This is a decoy.').toString('base64');

async function partialEvents(job: ResponseJob, [first]: readonly OutputItem[]): Promise<StreamEvent[]> {
  const madeImages = await Promise.all(partialOrdersOf(job.image).map(drawImage));
  return madeImages.map((made, index) => partialEvent(job, first?.id ?? '', made, index));
}

function endOf({ image }: ResponseJob, { end, done, isCall }: ItemEvents): readonly StreamEvent[] {
  return isCall && image.scenario.name === 'agent-completed-only' ? end.filter((event) => event !== done) : end;
}

// There is no event of its own for a response that somebody has cancelled.
function endEvent(job: ResponseJob, items: readonly OutputItem[]): StreamEvent {
  const { status } = outcomeOf(job);
  const response = responseMembers(job, status, items);
  const madeImages = items.flatMap((item) => item.images);
  return typedEvent(`response.${status === 'cancelled' ? 'failed' : status}`, { response }, madeImages);
}

/** Every event has its number, and a refusal that is flat has a param, too. */
function numbered(steps: readonly StreamStep[]): readonly StreamStep[] {
  let events = 0;
  return steps.map((step) => {
    if (step.kind !== 'event' || !('type' in step.members)) return step;
    const param = step.name === 'error' ? { param: null } : {};
    return { ...step, members: { ...step.members, ...param, sequence_number: events++ } };
  });
}

/** The events of one item. Partial images belong between `begin` and `end`; `done` is one of `end`. */
type ItemEvents = {
  readonly begin: readonly StreamEvent[];
  readonly end: readonly StreamEvent[];
  readonly done: StreamEvent;
  readonly isCall: boolean;
};

/** An event whose name is the type that it carries. */
function typedEvent(type: string, members: Members, images: readonly Image[] = []): StreamEvent {
  return { kind: 'event', name: type, members: { type, ...members }, images };
}

/** The events of an item, in order. */
function itemEvents(item: OutputItem, position: number): ItemEvents {
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

/** A partial image; it belongs to the first item. */
function partialEvent(job: ResponseJob, itemId: string, image: Image, index: number): StreamEvent {
  const members = {
    item_id: itemId,
    output_index: 0,
    partial_image_index: index,
    partial_image_b64: imageMarker,
    ...echoOf(job.image),
  };
  return typedEvent('response.image_generation_call.partial_image', members, [image]);
}
