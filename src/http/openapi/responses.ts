import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { Operation } from '../../domain/image-request.ts';
import { callerViews } from '../error-response.ts';
import { type JsonSchema, jsonSchema } from './describe.ts';
import { headerLinks, imageHeaders, type ResponseHeader, retryHeaders, startedHeaders } from './headers.ts';
import { responsesSchemas } from './responses-results.ts';

const base64 = z.string().min(1).meta({ contentEncoding: 'base64', description: 'The file of the image.' });
const revisedPrompt = z.string().optional().describe('The prompt as the model revised it.');
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
  .describe('Tokens as Azure counts them, summed over all calls.');
const seconds = z.int().describe('Unix seconds.');

const image = z.union([
  z.object({ b64_json: base64, revised_prompt: revisedPrompt }),
  z.object({
    url: z.string().min(1).meta({ format: 'uri', description: 'Where the image can be fetched until it expires.' }),
    revised_prompt: revisedPrompt,
  }),
]);

export const imagesResponse = z.object({
  data: z.array(image).min(1).max(10),
  created: seconds,
  background: z.string().optional(),
  output_format: z.string().optional(),
  quality: z.string().optional(),
  size: z.string().optional(),
  usage,
});

/** What each image of a stream comes with. */
const streamed = {
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
  return z.object({ type: z.literal(`${name}.partial_image`), ...streamed, partial_image_index: z.int().min(0) });
}

function completed(name: string) {
  return z.object({ type: z.literal(`${name}.completed`), ...streamed });
}

const views = Object.values(callerViews);

/** The closed set of what an error may be, for these statuses. */
function errorMembers(status?: number) {
  const of = status === undefined ? views : views.filter((view) => view.status === status);
  return z.object({
    message: z.string().min(1).describe('For people. It never holds a secret.'),
    type: z.enum([...new Set(of.map(({ type }) => type))]),
    param: z.string().nullable().describe('The parameter at fault, if it is one.'),
    code: z.enum([...new Set(of.map(({ code }) => code))]),
    moderation_details: z
      .object({ moderation_stage: z.enum(['input', 'output', 'unknown']), categories: z.array(z.string()) })
      .optional(),
  });
}

const streamError = z.object({
  type: z.literal('error').optional().describe('Present where the error interrupts an image.'),
  b64_json: z.string().optional().describe('The beginning of the interrupted image.'),
  error: errorMembers(),
});

const model = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: seconds,
  owned_by: z.string(),
  shutdown_date: z.iso.date().nullable().describe('When Azure retires the last target of the model, if that is known.'),
});

/** The name of the schema of the errors with one status. */
const errorName = (status: number): string => `Error${status}`;

/** The statuses that clients can see; 499 is for log and metrics alone. */
const errorStatuses: readonly number[] = [...new Set(views.map(({ status }) => status))]
  .filter((status) => status !== callerViews.client_gone.status)
  .sort();

/** An error as OpenAI's API has it, of any status. */
export const anyError = errorMembers();

/** Every response that has a body of JSON, and the data of every event. */
export const responseSchemas: Readonly<Record<string, JsonSchema>> = {
  ImagesResponse: jsonSchema(imagesResponse),
  ImageGenerationPartialImage: jsonSchema(partialImage('image_generation')),
  ImageGenerationCompleted: jsonSchema(completed('image_generation')),
  ImageEditPartialImage: jsonSchema(partialImage('image_edit')),
  ImageEditCompleted: jsonSchema(completed('image_edit')),
  StreamError: jsonSchema(streamError),
  ...responsesSchemas,
  Model: jsonSchema(model),
  ModelList: jsonSchema(z.object({ object: z.literal('list'), data: z.array(model) })),
  Readiness: jsonSchema(z.object({ status: z.enum(['starting', 'ready', 'draining', 'closing']) })),
  ...Object.fromEntries(
    errorStatuses.map((status) => [errorName(status), jsonSchema(z.object({ error: errorMembers(status) }))]),
  ),
};

/** The names of the schemas of a stream's events. */
const eventNames: Readonly<Record<Operation, readonly string[]>> = {
  generate: ['ImageGenerationPartialImage', 'ImageGenerationCompleted', 'StreamError'],
  edit: ['ImageEditPartialImage', 'ImageEditCompleted', 'StreamError'],
};

const schemaLink = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
export const responseLink = (name: string): JsonSchema => ({ $ref: `#/components/responses/${name}` });

const ownHeaders: Readonly<Record<number, readonly ResponseHeader[]>> = {
  401: ['www-authenticate'],
  405: ['allow'],
  416: ['content-range'],
};

function errorResponse(status: number): JsonSchema {
  return {
    description: STATUS_CODES[status] ?? 'Error',
    headers: headerLinks([...startedHeaders, ...retryHeaders, ...(ownHeaders[status] ?? [])]),
    content: { 'application/json': { schema: schemaLink(errorName(status)) } },
  };
}

function images(description: string, events: readonly string[], schema = 'ImagesResponse'): JsonSchema {
  return {
    description: `${description}; with \`stream\`, a stream of server-sent events, whose data is described here.`,
    headers: headerLinks([...startedHeaders, ...imageHeaders]),
    content: {
      'application/json': { schema: schemaLink(schema) },
      'text/event-stream': { schema: { oneOf: events.map(schemaLink) } },
    },
  };
}

/** A response with JSON of this schema, or with plain text. */
function plain(description: string, mediaType: string, schema: JsonSchema): JsonSchema {
  return { description, headers: headerLinks([]), content: { [mediaType]: { schema } } };
}

/** A response with JSON of this schema, and headers beside those of every request for images. */
export function jsonResponse(description: string, schema: string, headers: readonly ResponseHeader[] = []): JsonSchema {
  const content = { 'application/json': { schema: schemaLink(schema) } };
  return { description, headers: headerLinks([...startedHeaders, ...headers]), content };
}

const fileHeaders: readonly ResponseHeader[] = ['etag', 'accept-ranges', 'cache-control'];
const fileTypes = ['image/png', 'image/jpeg', 'image/webp'];

function fileResponse(description: string, headers: readonly ResponseHeader[] = []): JsonSchema {
  return {
    description,
    headers: headerLinks([...fileHeaders, ...headers]),
    content: Object.fromEntries(fileTypes.map((type) => [type, {}])),
  };
}

/** All responses, by the names of their components. */
export const responses: Readonly<Record<string, JsonSchema>> = {
  Generated: images('The images', eventNames.generate),
  Edited: images('The edited images', eventNames.edit),
  Responded: images('The response', ['ResponseStreamEvent'], 'Response'),
  InputItems: plain('Azure’s list, of a response that is not the gateway’s own.', 'application/json', {
    type: 'object',
  }),
  DeletedResponse: plain('The response is deleted.', 'application/json', schemaLink('DeletedResponse')),
  JobContent: {
    ...images('The images', []),
    content: {
      'application/json': { schema: schemaLink('ImagesResponse') },
      ...Object.fromEntries(fileTypes.map((type) => [type, {}])),
    },
  },
  Models: plain('Models and aliases.', 'application/json', schemaLink('ModelList')),
  Model: plain('The model or alias.', 'application/json', schemaLink('Model')),
  Alive: plain('The process is alive.', 'text/plain', { type: 'string', const: 'ok' }),
  Ready: plain('The gateway is ready.', 'application/json', schemaLink('Readiness')),
  NotReady: plain('The gateway is starting or shutting down.', 'application/json', schemaLink('Readiness')),
  Metrics: plain('The metrics in Prometheus’ text format.', 'text/plain', { type: 'string' }),
  OpenApi: plain('This document.', 'application/json', { type: 'object' }),
  File: fileResponse('The image.'),
  PartOfFile: fileResponse('The requested bytes of the image.', ['content-range']),
  FileIsKnown: { description: 'The client has it already.', headers: headerLinks(fileHeaders) },
  ...Object.fromEntries(errorStatuses.map((status) => [errorName(status), errorResponse(status)])),
};

/** Responses to any request that is hardly HTTP, or that the gateway itself fails at. */
const ofAnything = [400, 408, 417, 431, 500];
const ofKeyed = [...ofAnything, 401, 403, 503];

/** Errors in OpenAI's form. */
export function errors(statuses: readonly number[]): JsonSchema {
  return Object.fromEntries(statuses.toSorted().map((status) => [status, responseLink(errorName(status))]));
}

/** Responses of a route that needs no key. */
export function openResponses(name: string, further: readonly number[] = []): JsonSchema {
  return { 200: responseLink(name), ...errors([...ofAnything, ...further]) };
}

/** Responses of a route that needs a key. */
export function keyedResponses(name: string, further: readonly number[] = []): JsonSchema {
  return { 200: responseLink(name), ...errors([...ofKeyed, ...further]) };
}

const ofOtherRoutes = [405, 416];

const errorsOfCalls = errors(errorStatuses.filter((status) => !ofOtherRoutes.includes(status)));

/** Responses of a call for images: all but those of other routes alone. */
export function callResponses(name: string): JsonSchema {
  return { 200: responseLink(name), ...errorsOfCalls };
}

/** The same of a call that `Prefer` makes a job. */
export function imageResponses(name: string): JsonSchema {
  return { ...callResponses(name), 202: responseLink('JobAccepted') };
}

/** Responses of a call for images that starts a job. */
export function acceptedResponses(name: string): JsonSchema {
  return { 202: responseLink(name), ...errorsOfCalls };
}

export function readinessResponses(): JsonSchema {
  return { ...openResponses('Ready'), 503: responseLink('NotReady') };
}

export function fileResponses(): JsonSchema {
  const found = { 206: responseLink('PartOfFile'), 304: responseLink('FileIsKnown') };
  return { ...openResponses('File', [404, 416]), ...found };
}

/** Responses of a route that refuses everything with this status. */
export function refusalResponses(status: 400 | 404): JsonSchema {
  return errors([...new Set([...ofKeyed, status])]);
}
