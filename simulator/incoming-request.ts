import type { FastifyRequest } from 'fastify';
import { deploymentNotFound, type PlainResponse, refusal, resourceNotFound } from './azure-errors.ts';
import { type Family, familyOf } from './families.ts';
import type { Flow } from './ledger.ts';

/** The parameters of a request: its parsed JSON body, or the fields of its form. */
export type RequestBody = Readonly<Record<string, unknown>>;

/** Says whether a JSON value is an object, which neither a list nor null is. */
export function isObject(value: unknown): value is RequestBody {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body of a request when it is a JSON object; anything else counts as an empty one, which lacks its prompt. */
export function objectBody({ body }: FastifyRequest): RequestBody {
  return isObject(body) ? body : {};
}

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

/** Says whether the v1 path has this api-version. It is optional; `preview` opts in. */
export function isV1Version(apiVersion: unknown): boolean {
  return v1ApiVersions.includes(apiVersion);
}

/** Finds the deployment that the path names. */
export function addressDeployment(
  deployment: string,
  request: FastifyRequest,
  body: RequestBody,
): AddressedCall | PlainResponse {
  const apiVersion = apiVersionOf(request);
  const family = familyOf(deployment);
  // Api-version is required; without it, or given twice, there is no such resource.
  if (typeof apiVersion !== 'string') return resourceNotFound();
  if (family === undefined) return deploymentNotFound();
  return { flow: 'azure-deployment', family, deployment, apiVersion, body };
}

/** Finds the deployment that the body's `model` names. */
export function addressV1(request: FastifyRequest, { model, ...body }: RequestBody): AddressedCall | PlainResponse {
  if (!isV1Version(apiVersionOf(request))) return resourceNotFound();
  // Body "model" is required and is the deployment's name.
  if (typeof model !== 'string' || model === '') return refusal('Unknown model', 'model', 'invalid_value');
  const family = familyOf(model);
  if (family === undefined) return deploymentNotFound();
  return { flow: 'azure-v1', family, deployment: model, apiVersion: 'preview', body };
}

/** The simulator's origin as this client named it, so that links also work through a container's host name. */
export function requestOrigin(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`;
}

/**
 * Another origin for redirects. On loopback it is a second name of the simulator itself, so that the ledger shows
 * a client that follows and what it carries along; elsewhere it is a host that does not exist.
 */
export function otherOrigin(request: FastifyRequest): string {
  const origin = requestOrigin(request);
  if (origin.includes('//127.0.0.1')) return origin.replace('//127.0.0.1', '//localhost');
  if (origin.includes('//localhost')) return origin.replace('//localhost', '//127.0.0.1');
  return 'http://other.example.invalid';
}

// Deeper than any member that may hold an image; a body can be nested as deep as its sender likes.
const deepest = 8;

/** The same JSON value with the data of its data URLs left out, so that it takes no megabytes to remember it. */
export function shortenDataUrls(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return shortenDataUrl(value);
  if (depth === deepest) return value;
  if (Array.isArray(value)) return value.map((item) => shortenDataUrls(item, depth + 1));
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([name, member]) => [name, shortenDataUrls(member, depth + 1)] as const);
  return Object.fromEntries(members);
}

function shortenDataUrl(text: string): string {
  const head = /^data:[^,;]{0,100};base64,/.exec(text)?.[0];
  return head === undefined ? text : `${head}…(${text.length - head.length} characters)`;
}
