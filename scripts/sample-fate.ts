import { isDeepStrictEqual } from 'node:util';
import { GatewayError } from '../src/domain/gateway-error.ts';
import { type AdaptTo, adaptRequest } from '../src/parameters/adapt.ts';
import type { AdaptationName } from '../src/parameters/adaptations.ts';
import type { ParameterSample } from '../src/parameters/parameter-samples.ts';

/** What becomes of a parameter: `default` is left out upstream, because that is what the upstream does anyway. */
export type Fate =
  | { readonly how: 'sent' | 'default' }
  | { readonly how: 'adapted'; readonly adaptations: readonly AdaptationName[] }
  | { readonly how: 'refused'; readonly param: string };

/** What a family does with a sample under a policy. Errors that are no refusal are thrown on. */
export function fateOf({ request, member }: ParameterSample, adaptTo: AdaptTo): Fate {
  try {
    const { legs, adaptations } = adaptRequest(request, adaptTo);
    if (adaptations.length > 0) return { how: 'adapted', adaptations };
    return { how: legs.every((leg) => isDeepStrictEqual(leg[member], request[member])) ? 'sent' : 'default' };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { how: 'refused', param: error.param ?? '' };
  }
}
