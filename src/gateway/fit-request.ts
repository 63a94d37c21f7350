import type { ImageRequest, RequestDefaults } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import type { AdaptationName } from './adaptations.ts';
import { refuseExcludedPairs } from './excluded-pairs.ts';
import { unchanged } from './fit.ts';
import { fitAgent } from './fit-agent.ts';
import { checkInputs, checkLength } from './fit-inputs.ts';
import { fitRules } from './fit-rules.ts';
import { countLimit, type Legs, refuseFanOut, splitCount } from './split-count.ts';

export type FittedRequest = {
  /**
   * What each upstream call is asked for, in the order of the pictures. A leg's `delivery` is what the upstream is
   * told, its `stream` whether the upstream is to stream; what the caller wants stands in the request.
   */
  readonly legs: Legs;
  /** What the gateway does itself to satisfy the caller, as `x-gateway-adapted` reports it. */
  readonly adaptations: readonly AdaptationName[];
};

/** What a request is fitted to: a target's capabilities, under its model's policy. */
export type FitTo = { readonly family: ModelCapabilities; readonly policy: ParameterPolicy };

/**
 * The request with the operator's defaults where the caller left something out. A default of `response_format` is none
 * for streams, which carry base64.
 */
export function withDefaults(request: ImageRequest, { delivery, ...others }: RequestDefaults): ImageRequest {
  const defaults: RequestDefaults = request.stream || delivery === undefined ? others : { ...others, delivery };
  const missing = Object.entries(defaults).filter(([name]) => request[name as keyof ImageRequest] === undefined);
  return { ...request, ...Object.fromEntries(missing) };
}

/**
 * Compares a request with what the target's family can do, before anything is sent. Throws a GatewayError that names
 * the parameter; nothing is dropped or clamped.
 */
export function fitRequest(request: ImageRequest, { family, policy: configured }: FitTo): FittedRequest {
  // Nothing can be forwarded to an agent.
  const policy = family.agentDecides && configured === 'pass' ? 'adapt' : configured;
  if (request.edit) {
    checkInputs(request.edit);
    checkLength(request.edit, family);
  }
  refuseExcludedPairs(request, family, policy);
  if (policy === 'pass') return { legs: [request], adaptations: [] };
  const fits = fitRules.map((rule) => rule(request, family, policy));
  const fitted: ImageRequest = Object.assign({}, request, ...fits.map(({ members }) => members));
  const agentFit = family.agentDecides ? fitAgent(fitted, family, policy) : unchanged;
  const upstream = { ...fitted, ...agentFit.members };
  const limit = countLimit(upstream, family);
  if (policy === 'strict') refuseFanOut(upstream, limit);
  const legs = splitCount(upstream, limit);
  const fanOut: readonly AdaptationName[] = legs.length > 1 ? ['n=fan-out'] : [];
  return { legs, adaptations: [...[...fits, agentFit].flatMap(({ adaptations }) => adaptations), ...fanOut] };
}
