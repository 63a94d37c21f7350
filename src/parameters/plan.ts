import { GatewayError } from '../domain/gateway-error.ts';
import type { Delivery, ImageRequest, Operation, RequestDefaults } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import { type AdaptedRequest, adaptRequest } from './adapt.ts';

/** What a plan needs to know of an upstream deployment. */
export type PlanTarget = {
  readonly name: string;
  /** Targets with a lower number are tried first. */
  readonly priority: number;
  readonly family: ModelCapabilities;
  /** The protocol that the target speaks. */
  readonly provider: { readonly operations: readonly Operation[] };
};

export type PlanModel<T extends PlanTarget> = {
  readonly name: string;
  /** Never empty. */
  readonly targets: readonly T[];
  readonly parameters: ParameterPolicy;
  readonly defaults: RequestDefaults;
};

/** A target that can serve the request, and what the request becomes there. */
export type Candidate<T extends PlanTarget> = { readonly target: T; readonly adapted: AdaptedRequest };

export type Plan<T extends PlanTarget> = {
  /** In the order of their priority; never empty. */
  readonly candidates: readonly Candidate<T>[];
  /** How the caller gets its images: one for all targets, so that it does not depend on which of them responds. */
  readonly delivery: Delivery | undefined;
  /** The defaults that were applied, for a part of the request that is adapted again. */
  readonly defaults: RequestDefaults;
  readonly canConvert: boolean;
};

/** What the gateway itself can do for its callers. */
export type PlanAbilities = {
  /** It hosts images, so that it can give links where a target gives none. */
  readonly canHost: boolean;
  /** It converts images. */
  readonly canConvert: boolean;
};

/**
 * Finds the targets of a model that can serve a request, and adapts the request to each of them. Where none can serve it,
 * throws the GatewayError of the first one by priority, or `unsupported_operation`. Pure: the target's health plays no part.
 */
export function plan<T extends PlanTarget>(
  request: ImageRequest,
  model: PlanModel<T>,
  { canHost, canConvert }: PlanAbilities,
): Plan<T> {
  const defaults = canHost || model.defaults.delivery !== 'url' ? model.defaults : defaultsWithoutHosting(model);
  const candidates: Candidate<T>[] = [];
  const refusals: unknown[] = [];
  const targets = targetsFor(operationOf(request), model);
  for (const target of targets.toSorted((one, other) => one.priority - other.priority)) {
    try {
      const adapted = adaptRequest(request, { family: target.family, policy: model.parameters, defaults, canConvert });
      if (!canHost && adapted.adaptations.includes('delivery=url')) throw hostingUnavailable();
      candidates.push({ target, adapted });
    } catch (error) {
      refusals.push(error);
    }
  }
  if (candidates.length === 0) throw refusals[0];
  const delivery = candidates.find(({ adapted }) => adapted.delivery !== undefined)?.adapted.delivery;
  return { candidates, delivery, defaults, canConvert };
}

/** What a request asks a target to do. */
export function operationOf({ edit }: ImageRequest): Operation {
  return edit === undefined ? 'generate' : 'edit';
}

/** The targets that can do the operation. Throws `unsupported_operation` where there are none. */
export function targetsFor<T extends PlanTarget>(
  operation: Operation,
  { name, targets }: Pick<PlanModel<T>, 'name' | 'targets'>,
): readonly T[] {
  const able = targets.filter(
    ({ family, provider }) => family.operations.includes(operation) && provider.operations.includes(operation),
  );
  if (able.length > 0) return able;
  const message = `The model '${name}' cannot ${operation === 'edit' ? 'edit' : 'generate'} images.`;
  throw new GatewayError('unsupported_operation', message, { param: 'model' });
}

/** A default of `url` yields where a target gives no links: nobody has asked for them. */
function defaultsWithoutHosting({ defaults, targets }: PlanModel<PlanTarget>): RequestDefaults {
  const { delivery, ...others } = defaults;
  const needsHosting = targets.some(({ family }) => !family.responseFormats.includes('url'));
  return needsHosting ? others : defaults;
}

function hostingUnavailable(): GatewayError {
  const message =
    "'response_format' cannot be 'url' here: this model responds with base64, and this gateway hosts no images. Its operator can set DATA_DIR and PUBLIC_BASE_URL.";
  return new GatewayError('unsupported_parameter', message, { param: 'response_format' });
}
