import { STATUS_CODES } from 'node:http';
import { errorName, errorStatuses, eventNames } from './answer-schemas.ts';
import { type AnswerHeader, headerLinks, imageHeaders, retryHeaders, startedHeaders } from './headers.ts';
import type { JsonSchema } from './json-schema.ts';

const schemaLink = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const responseLink = (name: string): JsonSchema => ({ $ref: `#/components/responses/${name}` });

const ownHeaders: Readonly<Record<number, readonly AnswerHeader[]>> = {
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

function images(description: string, events: readonly string[]): JsonSchema {
  return {
    description: `${description}; with \`stream\`, a stream of server-sent events, whose data is described here.`,
    headers: headerLinks([...startedHeaders, ...imageHeaders]),
    content: {
      'application/json': { schema: schemaLink('ImagesAnswer') },
      'text/event-stream': { schema: { oneOf: events.map(schemaLink) } },
    },
  };
}

/** An answer with JSON of this schema, or with plain text. */
function plain(description: string, mediaType: string, schema: JsonSchema): JsonSchema {
  return { description, headers: headerLinks([]), content: { [mediaType]: { schema } } };
}

const fileHeaders: readonly AnswerHeader[] = ['etag', 'accept-ranges', 'cache-control'];
const fileTypes = ['image/png', 'image/jpeg', 'image/webp'];

function fileResponse(description: string, headers: readonly AnswerHeader[] = []): JsonSchema {
  return {
    description,
    headers: headerLinks([...fileHeaders, ...headers]),
    content: Object.fromEntries(fileTypes.map((type) => [type, {}])),
  };
}

/** All answers, by the names of their components. */
export const responses: Readonly<Record<string, JsonSchema>> = {
  Generated: images('The images', eventNames.generate),
  Edited: images('The edited images', eventNames.edit),
  Models: plain('Models and aliases.', 'application/json', schemaLink('ModelList')),
  Model: plain('The model or alias.', 'application/json', schemaLink('Model')),
  Alive: plain('The process is alive.', 'text/plain', { type: 'string', const: 'ok' }),
  Ready: plain('Requests should be sent here.', 'application/json', schemaLink('Readiness')),
  NotReady: plain('Requests should be sent elsewhere.', 'application/json', schemaLink('Readiness')),
  Metrics: plain('The metrics in Prometheus’ text format.', 'text/plain', { type: 'string' }),
  OpenApi: plain('This document.', 'application/json', { type: 'object' }),
  File: fileResponse('The image.'),
  PartOfFile: fileResponse('The bytes of the image that were asked for.', ['content-range']),
  FileIsKnown: { description: 'The caller has it already.', headers: headerLinks(fileHeaders) },
  ...Object.fromEntries(errorStatuses.map((status) => [errorName(status), errorResponse(status)])),
};

/** What any request may be answered that is hardly HTTP, or that the gateway itself fails at. */
const ofAnything = [400, 408, 417, 431, 500];
const ofKeyed = [...ofAnything, 401, 403, 503];

const errors = (statuses: readonly number[]) =>
  Object.fromEntries(statuses.toSorted().map((status) => [status, responseLink(errorName(status))]));

/** What an open route answers. */
export function openAnswers(name: string, further: readonly number[] = []): JsonSchema {
  return { 200: responseLink(name), ...errors([...ofAnything, ...further]) };
}

/** What a route answers that asks for a key. */
export function keyedAnswers(name: string, further: readonly number[] = []): JsonSchema {
  return { 200: responseLink(name), ...errors([...ofKeyed, ...further]) };
}

const ofOtherRoutes = [405, 416];

/** What a call for images is answered: everything but what other routes alone say. */
export function imageAnswers(name: string): JsonSchema {
  return { 200: responseLink(name), ...errors(errorStatuses.filter((status) => !ofOtherRoutes.includes(status))) };
}

export function readinessAnswers(): JsonSchema {
  return { ...openAnswers('Ready'), 503: responseLink('NotReady') };
}

export function fileAnswers(): JsonSchema {
  const found = { 206: responseLink('PartOfFile'), 304: responseLink('FileIsKnown') };
  return { ...openAnswers('File', [404, 416]), ...found };
}

/** What a route answers that refuses everything with this status. */
export function refusal(status: 400 | 404): JsonSchema {
  return errors([...new Set([...ofKeyed, status])]);
}
