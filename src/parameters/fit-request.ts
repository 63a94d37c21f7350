import { GatewayError } from '../domain/gateway-error.ts';
import {
  type Delivery,
  type ImageRequest,
  type OptionalMember,
  type RequestDefaults,
  wireNames,
} from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import type { AdaptationName } from './adaptations.ts';
import { conflictsIn } from './excluded-pairs.ts';
import { unchanged } from './fit.ts';
import { fitAgent } from './fit-agent.ts';
import { checkInputs, checkLength } from './fit-inputs.ts';
import { fitRules } from './fit-rules.ts';
import { leaveOutDefaults } from './leave-out-defaults.ts';
import { excludedPair } from './refusals.ts';
import { countLimit, type Legs, refuseFanOut, splitCount } from './split-count.ts';

export type FittedRequest = {
  /**
   * What each upstream call is asked for, in the order of the images. A leg's `delivery` is what the upstream is
   * told, its `stream` whether the upstream is to stream; what the caller wants stands in the request.
   */
  readonly legs: Legs;
  /** What the gateway does itself to satisfy the caller, as `x-gateway-adapted` reports it. */
  readonly adaptations: readonly AdaptationName[];
  /** How the caller gets its images: what it has asked for, else the operator's default. */
  readonly delivery: Delivery | undefined;
};

/** What a request is fitted to: a target's capabilities, under its model's policy and with its model's defaults. */
export type FitTo = {
  readonly family: ModelCapabilities;
  readonly policy: ParameterPolicy;
  readonly defaults?: RequestDefaults;
};

/**
 * Compares a request with what the target's family can do, before anything is sent. Throws a GatewayError that names
 * the parameter; nothing is dropped or clamped. The operator's defaults fill in what the caller has left open; one that
 * does not go with what the caller has said, or with the family, yields, so that no error is about it.
 */
export function fitRequest(request: ImageRequest, { family, policy, defaults = {} }: FitTo): FittedRequest {
  // Nothing can be forwarded to an agent.
  const fitTo = { family, policy: family.agentDecides && policy === 'pass' ? 'adapt' : policy };
  if (request.edit) {
    checkInputs(request.edit);
    checkLength(request.edit, fitTo.family);
  }
  const filledIn = new Map(openDefaults(request, defaults));
  for (;;) {
    const fit = tryFit({ ...request, ...Object.fromEntries(filledIn.values()) }, fitTo);
    const yielding = fit.atFault.find((name) => filledIn.has(name));
    if (yielding !== undefined) filledIn.delete(yielding);
    else if ('error' in fit) throw fit.error;
    else return fit.fitted;
  }
}

/** By wire name. */
function openDefaults(request: ImageRequest, defaults: RequestDefaults): [string, [OptionalMember, unknown]][] {
  const members = Object.entries(defaults) as [OptionalMember, unknown][];
  const open = members.filter(([member]) => request[member] === undefined);
  return open.map(([member, value]) => [wireNames[member], [member, value]]);
}

/** `atFault`: the wire names of what is refused here, or would be upstream; the first of them that can yield does. */
type Fit = { readonly atFault: readonly string[] } & (
  | { readonly fitted: FittedRequest }
  | { readonly error: GatewayError }
);

function tryFit(request: ImageRequest, { family, policy }: FitTo): Fit {
  if (policy === 'pass') return passOn(request, family);
  const asked = leaveOutDefaults(request, family);
  const [conflict] = conflictsIn(asked, family, policy);
  if (conflict !== undefined) return { error: excludedPair(conflict.names, conflict.reason), atFault: conflict.names };
  try {
    return { fitted: { ...applyRules(asked, family, policy), delivery: request.delivery }, atFault: [] };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { error, atFault: [error.param ?? ''] };
  }
}

/** Conflicts are Azure's to judge, apart from those that the gateway could not answer; the operator's defaults cause none. */
function passOn(request: ImageRequest, family: ModelCapabilities): Fit {
  const conflicts = conflictsIn(request, family, 'adapt');
  const atFault = conflicts.flatMap(({ names }) => names);
  const refused = conflicts.find(({ policies }) => policies.includes('pass'));
  if (refused !== undefined) return { error: excludedPair(refused.names, refused.reason), atFault };
  return { fitted: { legs: [request], adaptations: [], delivery: request.delivery }, atFault };
}

function applyRules(
  request: ImageRequest,
  family: ModelCapabilities,
  policy: 'adapt' | 'strict',
): Pick<FittedRequest, 'legs' | 'adaptations'> {
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
