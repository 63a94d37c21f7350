import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import type { AdaptationName } from './adaptations.ts';

/** How one parameter goes upstream. */
export type Fit = {
  /** The members of the upstream's request that differ from what was asked. */
  readonly members: Partial<ImageRequest>;
  readonly adaptations: readonly AdaptationName[];
};

/** The parameter goes upstream as it was asked. */
export const unchanged: Fit = { members: {}, adaptations: [] };

/** The rule of one parameter: throws a GatewayError that names it where it is refused. `pass` knows no such rules. */
export type FitRule = (request: ImageRequest, capabilities: ModelCapabilities, policy: 'adapt' | 'strict') => Fit;
