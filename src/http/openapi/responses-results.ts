import { z } from 'zod';
import { type JsonSchema, jsonSchema } from './describe.ts';

const seconds = z.int().describe('Unix seconds.');
const facts = { size: z.string(), quality: z.string(), background: z.string(), output_format: z.string() };

const call = z.object({
  id: z.string(),
  type: z.literal('image_generation_call'),
  status: z.enum(['in_progress', 'completed']),
  result: z.string().nullable().meta({ contentEncoding: 'base64', description: 'The file of the image.' }),
  action: z.enum(['generate', 'edit']).optional(),
  revised_prompt: z.string().nullable().optional().describe('The prompt as the model revised it.'),
  ...z.object({ ...facts, size: facts.size.nullable() }).partial().shape,
});

const response = z.looseObject({
  id: z.string(),
  object: z.literal('response'),
  created_at: seconds,
  completed_at: seconds.nullable(),
  status: z.enum(['queued', 'in_progress', 'completed', 'failed', 'cancelled']),
  model: z.string().describe('The model, whichever alias was used.'),
  output: z.array(call).max(1),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z.null(),
  usage: z
    .looseObject({})
    .nullable()
    .describe('Tokens of the image as Azure counts them, in the form of OpenAI’s ResponseUsage.'),
});

const inStream = { sequence_number: z.int().min(0).describe('Gaps are partial images, which are not kept.') };
const place = { output_index: z.literal(0) };
const callPlace = { ...place, item_id: z.string() };
const callEvent = 'response.image_generation_call';

/** In the middle of an image, the image's own event becomes the failure, and keeps the members that it had. */
const event = z.discriminatedUnion('type', [
  z.object({ type: z.literal('response.created'), ...inStream, response }),
  z.object({ type: z.literal('response.in_progress'), ...inStream, response }),
  z.object({ type: z.literal('response.output_item.added'), ...inStream, ...place, item: call }),
  z.object({ type: z.literal(`${callEvent}.in_progress`), ...inStream, ...callPlace }),
  z.object({ type: z.literal(`${callEvent}.generating`), ...inStream, ...callPlace }),
  z.object({
    type: z.literal(`${callEvent}.partial_image`),
    ...inStream,
    ...callPlace,
    partial_image_b64: z.string(),
    partial_image_index: z.int().min(0),
    ...facts,
  }),
  z.object({ type: z.literal(`${callEvent}.completed`), ...inStream, ...callPlace }),
  z.object({ type: z.literal('response.output_item.done'), ...inStream, ...place, item: call }),
  z.object({ type: z.literal('response.completed'), ...inStream, response }),
  z.looseObject({ type: z.literal('response.failed'), ...inStream, response }),
]);

const deleted = z.object({ id: z.string(), object: z.literal('response'), deleted: z.literal(true) });

/** What the Responses API gives, by the names of the schemas. */
export const responsesSchemas: Readonly<Record<string, JsonSchema>> = {
  Response: jsonSchema(response),
  ResponseStreamEvent: jsonSchema(event),
  DeletedResponse: jsonSchema(deleted),
};
