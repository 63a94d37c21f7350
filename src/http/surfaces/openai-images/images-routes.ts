import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type { OpenInputStore } from '../../../domain/image-input.ts';
import { type DescribedPath, describePath, operationId } from '../../openapi/describe.ts';
import { callParameters, parameterLinks } from '../../openapi/headers.ts';
import { imageResponses, refusalResponses } from '../../openapi/responses.ts';
import { readPreferences } from '../../preferences.ts';
import { imagesRoots } from '../../request-path.ts';
import { type Current, handleGeneration, type Surface } from '../../surface.ts';
import { refuseOtherMethods, refuseRoute } from '../../unserved-routes.ts';
import { writeJob, writeTask } from '../jobs/write-job.ts';
import { parseEdit } from './parse-edit.ts';
import { parseGeneration } from './parse-parameters.ts';
import { writeJson } from './write-json.ts';
import { writeStream } from './write-stream.ts';

/** How a request is read that may want to run as a job. */
function asJob(parse: Surface['parse'], isTask: boolean): Surface['parse'] {
  return async (request, config) => {
    const call = await parse(request, config);
    const startsJob = isTask || call.startsJob || readPreferences(request.headers).respondsAsync;
    if (!startsJob) return call;
    if (!call.request.stream) return { ...call, startsJob, keeping: { isBackground: true, isRetrievable: true } };
    await call.request.edit?.inputs.release();
    throw new GatewayError(
      'unsupported_parameter',
      "A job cannot have 'stream': its images are fetched when it has ended.",
      {
        param: 'stream',
      },
    );
  };
}

/** Both operations respond with JSON or with an event stream. */
const write: Surface['write'] = (reader, reply, asked) =>
  asked.stream ? writeStream(reader, reply, asked) : writeJson(reader, reply);

/** `POST …/images/generations` on every root. */
export function generationsRoute(app: FastifyInstance, current: Current): void {
  imagesRoute(app, 'generations', parseGeneration, current);
}

/** `POST …/images/edits` on every root. */
export function editsRoute(app: FastifyInstance, current: Current, openInputs: OpenInputStore): void {
  imagesRoute(app, 'edits', parseEdit(openInputs), current);
}

function imagesRoute(app: FastifyInstance, operation: string, parse: Surface['parse'], current: Current): void {
  const handler = handleGeneration({ parse: asJob(parse, false), write, writeJob }, current);
  const taskHandler = handleGeneration({ parse: asJob(parse, true), write, writeJob: writeTask }, current);
  for (const root of imagesRoots) {
    const url = `${root}/images/${operation}`;
    app.post(url, handler);
    app.post(`${url}/async`, taskHandler);
    for (const each of [url, `${url}/async`]) refuseOtherMethods(app, each, ['POST']);
  }
}

/** What OpenAI had, and this gateway has not. Said before the body is looked at, whatever its type. */
export function refusedRoutes(app: FastifyInstance): void {
  for (const root of imagesRoots) {
    refuseRoute(app, `${root}/images/variations`, [
      'unsupported_operation',
      "Variations are not supported: no Azure model makes them. Use 'images/edits' with a prompt.",
    ]);
  }
}

const parameters = [...callParameters, ...parameterLinks('Prefer')];

/** What the document says about these routes. */
export const imagesPaths: readonly DescribedPath[] = [
  ...imagesRoots.flatMap((root) => [
    describePath(`${root}/images/generations`, {
      post: {
        ...operationId(root, 'createImage'),
        tags: ['images'],
        summary: 'Generates images from a prompt',
        parameters,
        requestBody: { $ref: '#/components/requestBodies/Generation' },
        responses: imageResponses('Generated'),
      },
    }),
    describePath(`${root}/images/edits`, {
      post: {
        ...operationId(root, 'createImageEdit'),
        tags: ['images'],
        summary: 'Edits images by a prompt',
        parameters,
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
];
