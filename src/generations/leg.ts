import type { GatewayError } from '../domain/gateway-error.ts';
import type { AdaptedRequest } from '../parameters/adapt.ts';
import type { Target } from '../targets/model-catalog.ts';

/** What one leg has met so far. */
export type Leg = {
  /** From 0, in the order in which they begin. */
  readonly number: number;
  /** Targets that cannot serve anybody at the moment. */
  readonly useless: Set<Target>;
  readonly tried: Set<Target>;
  /** Transient failures: each is believed once. */
  readonly transient: Set<string>;
  failures: number;
  last: GatewayError | undefined;
  /** The failure that was retried although it may have been billed. */
  unknown: GatewayError | undefined;
  /** What the gateway does for it at the target that it was adapted to last. */
  adaptations: AdaptedRequest['adaptations'];
};

/** A leg goes on where the request that it is a piece of has stopped. */
export function legAfter(before: Leg | undefined, number: number): Leg {
  const { useless, tried, transient, failures = 0, last, unknown } = before ?? {};
  return {
    number,
    useless: new Set(useless),
    tried: new Set(tried),
    transient: new Set(transient),
    failures,
    last,
    unknown,
    adaptations: [],
  };
}
