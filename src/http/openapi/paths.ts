import { imagesRoots, modelsRoots } from '../request-path.ts';
import { filesRouteUrl } from '../surfaces/files/files-route.ts';
import { requestParameters } from './headers.ts';
import type { JsonSchema } from './json-schema.ts';
import { fileAnswers, imageAnswers, keyedAnswers, openAnswers, readinessAnswers, refusal } from './responses.ts';

/** Where the document itself is served. */
export const openApiPath = '/openapi.json';

/** A route's URL in OpenAPI's spelling. */
export function documentedPath(url: string): string {
  return url
    .replaceAll('::', '\0')
    .replace(/:(\w+)/g, '{$1}')
    .replace('*', '{id}')
    .replaceAll('\0', ':');
}

const meanings: Readonly<Record<string, string>> = {
  model: 'The model or alias.',
  deployment: 'The model or alias, where Azure’s API has the deployment; it wins over all others.',
  id: 'What this is the name of.',
};

type Operations = { readonly get?: JsonSchema; readonly post?: JsonSchema };

/** One path, with the parameters that it holds; where there is a `get`, there is a `head`. */
function path(url: string, operations: Operations): readonly [string, JsonSchema] {
  const documented = documentedPath(url);
  const parameters = [...documented.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: meanings[name],
    schema: { type: 'string' },
  }));
  const { get } = operations;
  const head = get && { ...get, operationId: undefined, summary: `${get.summary} (head only)`, responses: headOf(get) };
  return [documented, { ...(parameters.length > 0 && { parameters }), ...operations, ...(head && { head }) }];
}

/** A head has the statuses of its `get`, and no body. */
function headOf({ responses }: JsonSchema): JsonSchema {
  const statuses = Object.keys(responses as object);
  return Object.fromEntries(statuses.map((status) => [status, { description: 'As with GET, without the body.' }]));
}

const sent = Object.keys(requestParameters).map((name) => ({ $ref: `#/components/parameters/${name}` }));

/** Names of operations are there once, on OpenAI's own paths. */
const named = (root: string, operationId: string) => (root === '/v1' ? { operationId } : {});

const imagesPaths = imagesRoots.flatMap((root) => [
  path(`${root}/images/generations`, {
    post: {
      ...named(root, 'createImage'),
      tags: ['images'],
      summary: 'Makes images from a prompt',
      parameters: sent,
      requestBody: { $ref: '#/components/requestBodies/Generation' },
      responses: imageAnswers('Generated'),
    },
  }),
  path(`${root}/images/edits`, {
    post: {
      ...named(root, 'createImageEdit'),
      tags: ['images'],
      summary: 'Edits images by a prompt',
      parameters: sent,
      requestBody: { $ref: '#/components/requestBodies/Edit' },
      responses: imageAnswers('Edited'),
    },
  }),
  path(`${root}/images/variations`, {
    post: {
      ...named(root, 'createImageVariation'),
      tags: ['images'],
      deprecated: true,
      summary: 'Is refused: no Azure model makes variations',
      responses: refusal(400),
    },
  }),
]);

const submitPaths = ['', '/m/:model'].map((prefix) =>
  path(`${prefix}/openai/images/generations::submit`, {
    post: {
      tags: ['images'],
      deprecated: true,
      summary: 'Is refused: the asynchronous flow is not offered',
      responses: refusal(404),
    },
  }),
);

const modelsPaths = modelsRoots.flatMap((root) => [
  path(`${root}/models`, {
    get: {
      ...named(root, 'listModels'),
      tags: ['models'],
      summary: 'Lists models and aliases',
      responses: keyedAnswers('Models'),
    },
  }),
  path(`${root}/models/*`, {
    get: {
      ...named(root, 'retrieveModel'),
      tags: ['models'],
      summary: 'Says whether there is such a model',
      responses: keyedAnswers('Model', [404]),
    },
  }),
]);

/** No key is asked for. */
const open = { security: [] };

const alive = {
  ...open,
  tags: ['operation'],
  summary: 'Says that the process is alive',
  responses: openAnswers('Alive'),
};

/** Every path that the gateway serves, with its methods. All others are answered 404, other methods 405. */
export const paths: Readonly<Record<string, JsonSchema>> = Object.fromEntries([
  ...imagesPaths,
  ...submitPaths,
  ...modelsPaths,
  path(filesRouteUrl, {
    get: {
      ...open,
      operationId: 'retrieveHostedImage',
      tags: ['images'],
      summary: 'A hosted image: its id is the permission; it has a life of 24 hours. The extension may be left out',
      responses: fileAnswers(),
    },
  }),
  path('/', { get: alive }),
  path('/healthz', { get: { operationId: 'getHealth', ...alive } }),
  path('/readyz', {
    get: {
      ...open,
      operationId: 'getReadiness',
      tags: ['operation'],
      summary: 'Says whether requests should be sent here',
      responses: readinessAnswers(),
    },
  }),
  path('/metrics', {
    get: {
      operationId: 'getMetrics',
      tags: ['operation'],
      summary: 'The metrics, for keys that may use every model',
      responses: keyedAnswers('Metrics'),
    },
  }),
  path(openApiPath, {
    get: {
      ...open,
      operationId: 'getOpenApi',
      tags: ['operation'],
      summary: 'This document',
      responses: openAnswers('OpenApi', [403]),
    },
  }),
]);
