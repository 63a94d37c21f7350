import { z } from 'zod';
import type { Operation } from '../../domain/image-request.ts';
import { callerViews } from '../error-response.ts';
import { type JsonSchema, jsonSchema } from './json-schema.ts';

const base64 = z.string().min(1).meta({ contentEncoding: 'base64', description: 'The file of the image.' });
const revisedPrompt = z.string().optional().describe('What the model made of the prompt.');
const tokens = z.int().min(0);
const tokensOfEachKind = z.looseObject({ text_tokens: tokens, image_tokens: tokens }).optional();
const usage = z
  .looseObject({
    input_tokens: tokens,
    output_tokens: tokens,
    total_tokens: tokens,
    input_tokens_details: tokensOfEachKind,
    output_tokens_details: tokensOfEachKind,
  })
  .optional()
  .describe('Tokens as Azure counts them; of several calls, their sum.');
const seconds = z.int().describe('Unix seconds.');

const image = z.union([
  z.object({ b64_json: base64, revised_prompt: revisedPrompt }),
  z.object({
    url: z.string().min(1).meta({ format: 'uri', description: 'Where the image can be fetched for some time.' }),
    revised_prompt: revisedPrompt,
  }),
]);

const imagesAnswer = z.object({
  data: z.array(image).min(1).max(10),
  created: seconds,
  background: z.string().optional(),
  output_format: z.string().optional(),
  quality: z.string().optional(),
  size: z.string().optional(),
  usage,
});

/** What a stream says of each of its images. */
const told = {
  b64_json: base64,
  created_at: seconds,
  size: z.string(),
  quality: z.string(),
  background: z.string(),
  output_format: z.string(),
  revised_prompt: revisedPrompt,
  usage,
};

function partialImage(name: string) {
  return z.object({ type: z.literal(`${name}.partial_image`), ...told, partial_image_index: z.int().min(0) });
}

function completed(name: string) {
  return z.object({ type: z.literal(`${name}.completed`), ...told });
}

const views = Object.values(callerViews);

/** The closed set of what an error may be, for these statuses. */
function errorMembers(status?: number) {
  const of = status === undefined ? views : views.filter((view) => view.status === status);
  return z.object({
    message: z.string().min(1).describe('For people; it never holds a secret.'),
    type: z.enum([...new Set(of.map(({ type }) => type))]),
    param: z.string().nullable().describe('The parameter at fault, if it is one.'),
    code: z.enum([...new Set(of.map(({ code }) => code))]),
    moderation_details: z
      .object({ moderation_stage: z.enum(['input', 'output', 'unknown']), categories: z.array(z.string()) })
      .optional(),
  });
}

const streamError = z.object({
  type: z.literal('error').optional().describe('There where the error breaks an image off.'),
  b64_json: z.string().optional().describe('The beginning of the image that was broken off.'),
  error: errorMembers(),
});

const model = z.object({ id: z.string(), object: z.literal('model'), created: seconds, owned_by: z.string() });

/** The name of the schema of the errors with one status. */
export const errorName = (status: number): string => `Error${status}`;

/** The statuses that callers can see; 499 is for log and metrics alone. */
export const errorStatuses: readonly number[] = [...new Set(views.map(({ status }) => status))]
  .filter((status) => status !== callerViews.client_gone.status)
  .sort();

/** Every answer that has a body of JSON, and the data of every event. */
export const answerSchemas: Readonly<Record<string, JsonSchema>> = {
  ImagesAnswer: jsonSchema(imagesAnswer),
  ImageGenerationPartialImage: jsonSchema(partialImage('image_generation')),
  ImageGenerationCompleted: jsonSchema(completed('image_generation')),
  ImageEditPartialImage: jsonSchema(partialImage('image_edit')),
  ImageEditCompleted: jsonSchema(completed('image_edit')),
  StreamError: jsonSchema(streamError),
  Model: jsonSchema(model),
  ModelList: jsonSchema(z.object({ object: z.literal('list'), data: z.array(model) })),
  Readiness: jsonSchema(z.object({ status: z.enum(['starting', 'ready', 'draining', 'closing']) })),
  ...Object.fromEntries(
    errorStatuses.map((status) => [errorName(status), jsonSchema(z.object({ error: errorMembers(status) }))]),
  ),
};

/** The names of the schemas of a stream's events. */
export const eventNames: Readonly<Record<Operation, readonly string[]>> = {
  generate: ['ImageGenerationPartialImage', 'ImageGenerationCompleted', 'StreamError'],
  edit: ['ImageEditPartialImage', 'ImageEditCompleted', 'StreamError'],
};
