import type { Response, ResponseStreamEvent } from 'openai7/resources/responses/responses';
import { expect } from 'vitest';
import { expectBase64 } from '../images.ts';
import { callIn } from './response-image.ts';

const call = 'response.image_generation_call';

/** OpenAI's order of the events of one image. */
export const eventTypes = (partials: number): readonly string[] => [
  'response.created',
  'response.in_progress',
  'response.output_item.added',
  `${call}.in_progress`,
  `${call}.generating`,
  ...Array<string>(partials).fill(`${call}.partial_image`),
  `${call}.completed`,
  'response.output_item.done',
  'response.completed',
];

/**
 * That these are all events of an image, with the members that the SDK's types have, numbered from 0 on. Returns the
 * response, which is the same in all of them.
 */
export async function expectEvents(events: readonly ResponseStreamEvent[], partials: number): Promise<Response> {
  expect(events.map(({ type }) => type)).toEqual(eventTypes(partials));
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, at) => at));
  const last = events.at(-1);
  if (last?.type !== 'response.completed') throw new Error('the response is not complete');
  const { response } = last;
  const item = callIn(response);
  events.forEach((event, at) => {
    expectMembers(event, { response, at: at - 5 });
  });
  const images = events.flatMap((event) => ('partial_image_b64' in event ? [event.partial_image_b64] : []));
  for (const base64 of [...images, item.result]) await expectBase64(base64, '1024x1024');
  return response;
}

/** @param at the place of a partial image among its kind */
function expectMembers(event: ResponseStreamEvent, { response, at }: { response: Response; at: number }): void {
  const item = callIn(response);
  const place = { output_index: 0, item_id: item.id };
  if (event.type === 'response.created' || event.type === 'response.in_progress') {
    expect(event.response).toMatchObject({ id: response.id, status: 'in_progress', output: [], model: response.model });
  } else if (event.type === 'response.output_item.added') {
    const begun = { id: item.id, type: item.type, status: 'in_progress', result: null };
    expect(event).toMatchObject({ output_index: 0, item: begun });
  } else if (event.type === 'response.output_item.done') {
    expect(event).toMatchObject({ output_index: 0, item: { id: item.id, result: item.result } });
  } else if (event.type === `${call}.partial_image`) {
    expect(event).toMatchObject({ ...place, partial_image_index: at, output_format: 'png', size: '1024x1024' });
  } else if (event.type !== 'response.completed') {
    expect(event).toMatchObject(place);
  }
}

/** The events that are kept: the same numbers, without partial images. */
export function keptOf(events: readonly ResponseStreamEvent[]): readonly ResponseStreamEvent[] {
  return events.filter(({ type }) => type !== `${call}.partial_image`);
}
