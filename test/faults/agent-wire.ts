import { tinyPng } from '../fixtures/images.ts';
import { eventText } from '../helpers/event-text.ts';

/** Texts of the Responses API with its image tool. */

export const responseId = 'resp_one';

type Members = Readonly<Record<string, unknown>>;

/** The output item of a call of the image tool that has made this image; other members say otherwise. */
export const imageCall = (image: string | null, members: Members = {}): Members => ({
  id: 'ig_one',
  type: 'image_generation_call',
  status: 'completed',
  result: image,
  size: '1024x1024',
  quality: 'high',
  background: 'opaque',
  output_format: 'png',
  ...members,
});

/** What the chat model says; its words are nothing that a caller or a log may see. */
export const words: Members = {
  id: 'msg_one',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'upstream-text-canary', annotations: [] }],
};

/** A response that has ended well, unless its members say otherwise. */
export const responseOf = (output: unknown, members: Members = {}): Members => ({
  id: responseId,
  object: 'response',
  created_at: 1_700_000_000,
  status: 'completed',
  background: false,
  error: null,
  incomplete_details: null,
  instructions: 'upstream-text-canary',
  model: 'gpt-4.1',
  output,
  tool_choice: { type: 'image_generation' },
  usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
  ...members,
});

/** A response that has not ended. */
export const pending = (status: string, members: Members = {}): Members =>
  responseOf([], { status, background: true, ...members });

export const drawn = (image: string): Members => responseOf([imageCall(image), words]);

export const responseText = (image: string): string => JSON.stringify(drawn(image));

/** One event of a streamed response. */
const place = { item_id: 'ig_one', output_index: 0 };

export const createdEvents: readonly string[] = [
  eventText('response.created', { response: pending('in_progress'), sequence_number: 0 }),
  eventText('response.in_progress', { response: pending('in_progress'), sequence_number: 1 }),
];

/** Until the tool begins to draw. */
export const openingEvents: readonly string[] = [
  ...createdEvents,
  eventText('response.output_item.added', {
    output_index: 0,
    item: imageCall(null, { status: 'in_progress' }),
    sequence_number: 2,
  }),
  eventText('response.image_generation_call.generating', { ...place, sequence_number: 3 }),
];

export const partialImageEvent = (image: string, members: Members = {}): string =>
  eventText('response.image_generation_call.partial_image', {
    ...place,
    sequence_number: 4,
    partial_image_index: 0,
    partial_image_b64: image,
    ...members,
  });

/** The finished item, which has the image. */
export const itemEvent = (image: string | null = tinyPng, members: Members = {}): string =>
  eventText('response.output_item.done', { output_index: 0, item: imageCall(image, members), sequence_number: 6 });

/** The last event, of a response that has ended in any way; it repeats the image. */
export const lastEvent = (response: Members = drawn(tinyPng)): string =>
  eventText(`response.${response.status}`, { response, sequence_number: 7 });

export const agentEvents = (image: string): string =>
  [...openingEvents, partialImageEvent(image), itemEvent(image), lastEvent(drawn(image))].join('');
