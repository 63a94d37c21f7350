import type { GatewayState } from '../domain/gateway-state.ts';
import type { Gateway } from './gateway.ts';

/** What is going on in this moment. */
export function gatewayState({ catalog, admission, inFlight, orphans }: Gateway): GatewayState {
  const now = performance.now();
  return {
    generations: inFlight,
    orphans,
    waiting: admission.waiting,
    heldBytes: admission.heldBytes,
    targets: catalog.models.flatMap((model) =>
      model.targets.map(({ name, health }) => ({
        model: model.name,
        target: name,
        calls: health.slots.taken,
        waiting: health.slots.waiting,
        breaker: health.breaker.state,
        isCoolingDown: health.coolDownAt(now) !== undefined,
      })),
    ),
  };
}
