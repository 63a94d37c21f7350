import type { FastifyInstance, RouteHandlerMethod } from 'fastify';
import type { OpenInputStore } from '../../../domain/image-input.ts';
import { type DescribedPath, describePath, operationId } from '../../openapi/describe.ts';
import { parameterLinks } from '../../openapi/headers.ts';
import { imageResponses, refusalResponses } from '../../openapi/responses.ts';
import { imagesRoots } from '../../request-path.ts';
import { type Current, handleGeneration, type Surface } from '../../surface.ts';
import { refuseOtherMethods, refuseRoute } from '../../unserved-routes.ts';
import { parseEdit } from './parse-edit.ts';
import { parseGeneration } from './parse-parameters.ts';
import { writeJson } from './write-json.ts';
import { writeStream } from './write-stream.ts';

/** Both operations respond with JSON or with an event stream. */
const write: Surface['write'] = (reader, reply, asked) =>
  asked.stream ? writeStream(reader, reply, asked) : writeJson(reader, reply);

/** `POST …/images/generations` on every root. */
export function generationsRoute(app: FastifyInstance, current: Current): void {
  imagesRoute(app, 'generations', handleGeneration({ parse: parseGeneration, write }, current));
}

/** `POST …/images/edits` on every root. */
export function editsRoute(app: FastifyInstance, current: Current, openInputs: OpenInputStore): void {
  imagesRoute(app, 'edits', handleGeneration({ parse: parseEdit(openInputs), write }, current));
}

function imagesRoute(app: FastifyInstance, operation: string, handler: RouteHandlerMethod): void {
  for (const root of imagesRoots) {
    const url = `${root}/images/${operation}`;
    app.post(url, handler);
    refuseOtherMethods(app, url, ['POST']);
  }
}

/** Two colons, because one would begin a parameter. */
const submitPath = '/openai/images/generations::submit';

/** What OpenAI or Azure had, and this gateway has not. Said before the body is looked at, whatever its type. */
export function refusedRoutes(app: FastifyInstance): void {
  for (const root of imagesRoots) {
    refuseRoute(app, `${root}/images/variations`, [
      'unsupported_operation',
      "Variations are not supported: no Azure model makes them. Use 'images/edits' with a prompt.",
    ]);
  }
  for (const prefix of ['', '/m/:model']) {
    refuseRoute(app, `${prefix}${submitPath}`, [
      'unsupported_endpoint',
      "The asynchronous submit and poll flow is not offered here. Use 'images/generations', which waits for the image.",
    ]);
  }
}

/** What the document says about these routes. */
export const imagesPaths: readonly DescribedPath[] = [
  ...imagesRoots.flatMap((root) => [
    describePath(`${root}/images/generations`, {
      post: {
        ...operationId(root, 'createImage'),
        tags: ['images'],
        summary: 'Generates images from a prompt',
        parameters: parameterLinks,
        requestBody: { $ref: '#/components/requestBodies/Generation' },
        responses: imageResponses('Generated'),
      },
    }),
    describePath(`${root}/images/edits`, {
      post: {
        ...operationId(root, 'createImageEdit'),
        tags: ['images'],
        summary: 'Edits images by a prompt',
        parameters: parameterLinks,
        requestBody: { $ref: '#/components/requestBodies/Edit' },
        responses: imageResponses('Edited'),
      },
    }),
    describePath(`${root}/images/variations`, {
      post: {
        ...operationId(root, 'createImageVariation'),
        tags: ['images'],
        deprecated: true,
        summary: 'Not supported: no Azure model makes variations',
        responses: refusalResponses(400),
      },
    }),
  ]),
  ...['', '/m/:model'].map((prefix) =>
    describePath(`${prefix}${submitPath}`, {
      post: {
        tags: ['images'],
        deprecated: true,
        summary: 'Not supported: the asynchronous flow',
        responses: refusalResponses(404),
      },
    }),
  ),
];
