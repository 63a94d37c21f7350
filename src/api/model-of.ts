import type { FastifyRequest } from 'fastify';

/**
 * The logical model that a request names: in its path as the deployment, else as the prefix `/m/{model}`, else in its
 * parameters, else in the header `x-target`. `undefined`: nowhere.
 */
export function modelOf(request: FastifyRequest, parameter: string | undefined): string | undefined {
  const { deployment, model } = request.params as { deployment?: string; model?: string };
  const target = request.headers['x-target'];
  return deployment ?? model ?? parameter ?? (typeof target === 'string' && target !== '' ? target : undefined);
}
