import type { FastifyInstance } from 'fastify';
import type { ModelCatalog } from '../../gateway/model-catalog.ts';
import { refuseOtherMethods } from '../refuse-other-methods.ts';

/** `GET /v1/models` and `GET /v1/models/{id}`: the logical models and their aliases, as OpenAI's Model objects. */
export function modelsRoutes(app: FastifyInstance, catalog: ModelCatalog): void {
  const created = Math.floor(Date.now() / 1000);
  const model = (id: string) => ({ id, object: 'model', created, owned_by: 'azure-image-gateway' });

  app.get('/v1/models', async () => ({ object: 'list', data: catalog.names.map(model) }));
  refuseOtherMethods(app, '/v1/models', ['GET', 'HEAD']);

  // A wildcard, because ids may hold slashes, encoded by the SDKs or not.
  app.get<{ Params: { '*': string } }>('/v1/models/*', async (request) => {
    const id = request.params['*'];
    catalog.find(id);
    return model(id);
  });
  refuseOtherMethods(app, '/v1/models/*', ['GET', 'HEAD']);
}
