import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';

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

/** `model_not_found` where the path names a deployment, as Azure's clients expect it; `undefined` for all else. */
export function unknownDeployment(error: unknown, { params }: FastifyRequest): GatewayError | undefined {
  if (!(error instanceof GatewayError) || error.kind !== 'model_not_found') return undefined;
  if ((params as { deployment?: string }).deployment === undefined) return undefined;
  return new GatewayError('deployment_not_found', error.message, { param: 'model' });
}
