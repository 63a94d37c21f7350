import type { FastifyRequest } from 'fastify';

/**
 * The logical model that a request names: in its path as the deployment, else as the prefix `/m/{model}`, else in its
 * parameters, else in the header `x-target`. `undefined`: nowhere.
 */
export function modelOf(request: FastifyRequest, parameter: string | undefined): string | undefined {
  const target = request.headers['x-target'];
  const inHeader = typeof target === 'string' && target !== '' ? target : undefined;
  return modelInPath(request) ?? parameter ?? inHeader;
}

/** What the path alone says. */
export function modelInPath({ params }: FastifyRequest): string | undefined {
  const { deployment, model } = params as { deployment?: string; model?: string };
  return deployment ?? model;
}
