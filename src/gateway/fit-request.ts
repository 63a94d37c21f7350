import { GatewayError } from '../domain/gateway-error.ts';
import { type ImageRequest, type OptionalMember, type RequestDefaults, wireNames } from '../domain/image-request.ts';
import type { ModelFamily } from './model-families.ts';

export type FittedRequest = {
  /** What the upstream is asked for. */
  readonly upstream: ImageRequest;
  /** What the gateway does itself to satisfy the caller, as `x-gateway-adapted` reports it. */
  readonly adaptations: readonly string[];
};

/** The request with the operator's defaults where the caller left something out. */
export function withDefaults(request: ImageRequest, defaults: RequestDefaults): ImageRequest {
  const asked = Object.entries(request).filter(([, value]) => value !== undefined);
  return { ...request, ...defaults, ...Object.fromEntries(asked) };
}

/**
 * Compares a request with what the model's family can do, before anything is sent. Throws a GatewayError that names the
 * parameter; nothing is dropped or clamped.
 */
export function fitRequest(request: ImageRequest, family: ModelFamily): FittedRequest {
  checkPrompt(request, family);
  checkParameters(request, family);
  checkCount(request, family);
  return fitDelivery(request, family);
}

function checkPrompt({ prompt }: ImageRequest, { promptCharacters }: ModelFamily): void {
  if (prompt.length <= promptCharacters) return;
  const message = `'prompt' is too long: this model takes at most ${promptCharacters} characters, and this one has ${prompt.length}.`;
  throw new GatewayError('invalid_value', message, { param: 'prompt' });
}

function checkParameters(request: ImageRequest, { parameters }: ModelFamily): void {
  if (parameters === undefined) return;
  const members = Object.keys(wireNames) as OptionalMember[];
  const unknown = members.find((member) => request[member] !== undefined && !parameters.includes(member));
  const [name] = unknown === undefined ? Object.keys(request.extra) : [wireNames[unknown]];
  if (name === undefined) return;
  throw new GatewayError('unsupported_parameter', `This model does not support '${name}'.`, { param: name });
}

function checkCount({ count }: ImageRequest, { maxCount }: ModelFamily): void {
  if (count <= maxCount) return;
  const message = `'n' is ${count}, and this model makes at most ${maxCount} per request.`;
  throw new GatewayError('invalid_value', message, { param: 'n' });
}

/** Families with one delivery do not know `response_format`: it is absorbed where it can be satisfied. */
function fitDelivery(request: ImageRequest, { deliveries }: ModelFamily): FittedRequest {
  const { delivery } = request;
  const [only, ...others] = deliveries;
  if (delivery === undefined || others.length > 0) return { upstream: request, adaptations: [] };
  if (delivery === 'url' && only !== 'url') {
    const message =
      "'response_format' cannot be 'url' for this model: it answers with base64 ('b64_json'), and this gateway does not host pictures yet.";
    throw new GatewayError('unsupported_parameter', message, { param: 'response_format' });
  }
  const upstream = { ...request, delivery: undefined };
  return { upstream, adaptations: delivery === only ? [] : [`delivery=${delivery}`] };
}
