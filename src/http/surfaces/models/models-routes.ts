import type { FastifyInstance } from 'fastify';
import { type ModelCatalog, shutdownDate } from '../../../targets/model-catalog.ts';
import { type DescribedPath, describePath, operationId } from '../../openapi/describe.ts';
import { keyedResponses } from '../../openapi/responses.ts';
import { modelsRoots } from '../../request-path.ts';
import { refuseOtherMethods } from '../../unserved-routes.ts';

/**
 * `GET …/models` and `GET …/models/{id}` on every root: the logical models that the consumer may use and their aliases, as
 * OpenAI's Model objects. `shutdown_date` is the day on which Azure retires the last of a model's targets.
 */
export function modelsRoutes(app: FastifyInstance, catalog: () => ModelCatalog): void {
  const created = Math.floor(Date.now() / 1000);
  const model = (id: string, found = catalog().find(id)) => ({
    ...{ id, object: 'model', created, owned_by: 'azure-image-gateway' },
    shutdown_date: shutdownDate(found) ?? null,
  });

  for (const url of modelsRoots.map((root) => `${root}/models`)) {
    app.get(url, async ({ consumer }) => ({
      object: 'list',
      data: catalog()
        .namesOf(consumer?.models)
        .map((id) => model(id)),
    }));
    refuseOtherMethods(app, url, ['GET', 'HEAD']);

    // A wildcard, because ids may hold slashes, encoded by the SDKs or not.
    app.get<{ Params: { '*': string } }>(`${url}/*`, async (request) => {
      const id = request.params['*'];
      return model(id, catalog().find(id, request.consumer?.models));
    });
    refuseOtherMethods(app, `${url}/*`, ['GET', 'HEAD']);
  }
}

/** What the document says about these routes. */
export const modelsPaths: readonly DescribedPath[] = modelsRoots.flatMap((root) => [
  describePath(`${root}/models`, {
    get: {
      ...operationId(root, 'listModels'),
      tags: ['models'],
      summary: 'Lists models and aliases',
      responses: keyedResponses('Models'),
    },
  }),
  describePath(`${root}/models/*`, {
    get: {
      ...operationId(root, 'retrieveModel'),
      tags: ['models'],
      summary: 'Retrieves a model or alias',
      responses: keyedResponses('Model', [404]),
    },
  }),
]);
