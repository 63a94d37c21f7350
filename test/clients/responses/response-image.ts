import type { Response, ResponseOutputItem } from 'openai7/resources/responses/responses';
import { expect } from 'vitest';
import { expectBase64 } from '../images.ts';
import { type Rig, startRig } from '../rig.ts';

export type ImageCall = ResponseOutputItem.ImageGenerationCall;

/** A gateway that keeps what it has made: without that nothing could be retrieved. */
export const startResponsesRig = (limits: { readonly lingerMs?: number; readonly inFlight?: number } = {}) =>
  startRig({ keepsJobs: true, ...limits });

/** The one item of a response, which is an image. */
export function callIn({ output }: Pick<Response, 'output'>): ImageCall {
  expect(output).toEqual([expect.objectContaining({ type: 'image_generation_call', status: 'completed' })]);
  return output[0] as ImageCall;
}

/** That a response is complete, and has one image. */
export async function expectImageIn(response: Response, size = '1024x1024', format = 'png'): Promise<ImageCall> {
  expect(response).toMatchObject({
    id: expect.stringMatching(/^resp_/),
    object: 'response',
    status: 'completed',
    error: null,
    incomplete_details: null,
  });
  const call = callIn(response);
  expect(call).toMatchObject({ id: expect.stringMatching(/^ig_/), output_format: format });
  await expectBase64(call.result, size, format);
  return call;
}

/** What each paid call was for, in their order. */
export const paidOperations = (rig: Rig): readonly string[] =>
  rig.paidCalls().map(({ path }) => (path.includes('/images/edits') ? 'edit' : 'generate'));
