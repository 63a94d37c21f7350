import type { FastifyRequest } from 'fastify';
import { deploymentNotFound, type PlainAnswer, refusal, resourceNotFound } from './azure-errors.ts';
import { type Family, familyOf } from './families.ts';
import type { Flow } from './ledger.ts';
import type { RequestBody } from './request-body.ts';

/** A call whose address leads to a deployment. */
export type AddressedCall = {
  readonly flow: Flow;
  readonly family: Family;
  readonly deployment: string;
  readonly apiVersion: string;
  readonly body: RequestBody;
};

const v1ApiVersions: readonly unknown[] = [undefined, 'preview', 'v1'];

/** The request's api-version; something else than a text when it is left out or given twice. */
export function apiVersionOf(request: FastifyRequest): unknown {
  return (request.query as Record<string, unknown>)['api-version'];
}

/** Says whether the v1 path has this api-version. CONTRACTS §3.3: it is optional; `preview` opts in. */
export function isV1Version(apiVersion: unknown): boolean {
  return v1ApiVersions.includes(apiVersion);
}

/** Finds the deployment that the path names (CONTRACTS §3.2). */
export function addressDeployment(
  deployment: string,
  request: FastifyRequest,
  body: RequestBody,
): AddressedCall | PlainAnswer {
  const apiVersion = apiVersionOf(request);
  const family = familyOf(deployment);
  // CONTRACTS §3.2: api-version is required; without it, or given twice, there is no such resource.
  if (typeof apiVersion !== 'string') return resourceNotFound();
  if (family === undefined) return deploymentNotFound();
  return { flow: 'azure-deployment', family, deployment, apiVersion, body };
}

/** Finds the deployment that the body's `model` names (CONTRACTS §3.3). */
export function addressV1(request: FastifyRequest, { model, ...body }: RequestBody): AddressedCall | PlainAnswer {
  if (!isV1Version(apiVersionOf(request))) return resourceNotFound();
  // CONTRACTS §3.3: body "model" is required and is the deployment's name.
  if (typeof model !== 'string' || model === '') return refusal('Unknown model', 'model', 'invalid_value');
  const family = familyOf(model);
  if (family === undefined) return deploymentNotFound();
  return { flow: 'azure-v1', family, deployment: model, apiVersion: 'preview', body };
}
