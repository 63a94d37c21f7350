import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requireKey, requireProjectToken } from '../check-credentials.ts';
import { countReceived, type SimulatedWorld } from '../simulated-world.ts';
import { createResponse } from './create-response.ts';
import { cancelResponse, pollResponse } from './poll-response.ts';
import { projectOf, requireVersion, responsePlaces } from './response-places.ts';
import { createResponseShelf } from './response-shelf.ts';

// Images to edit come in the body, as data URLs.
const largestBody = 64 * 1024 * 1024;

/** Adds the Responses API with the image generation tool: create, poll, cancel (CONTRACTS §3.4). */
export function addAzureResponses(app: FastifyInstance, world: SimulatedWorld): void {
  const shelf = createResponseShelf();
  const find = (request: FastifyRequest<{ Params: { id: string } }>) =>
    shelf.find(request.params.id, projectOf(request));
  for (const place of responsePlaces) {
    const onRequest = [place.isInProject ? requireProjectToken(world) : requireKey(world), requireVersion(place)];
    const hooks = { onRequest, preHandler: countReceived(world), bodyLimit: largestBody };
    app.post(place.path, hooks, (request, reply) => createResponse(place, shelf, world, request, reply));
    app.get<{ Params: { id: string } }>(`${place.path}/:id`, { onRequest }, (request, reply) =>
      pollResponse(find(request), request.params.id, reply, world),
    );
    app.post<{ Params: { id: string } }>(`${place.path}/:id/cancel`, { onRequest }, (request, reply) =>
      cancelResponse(find(request), request.params.id, reply, world),
    );
  }
}
