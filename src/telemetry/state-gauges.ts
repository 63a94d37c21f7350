import { Gauge, type Registry } from 'prom-client';
import { breakerStates, type GatewayState, type TargetState } from '../domain/gateway-state.ts';

type Read = () => GatewayState;

/** Gauges of what goes on at the moment; the function that is returned says where that can be read. */
export function stateGauges(registry: Registry): (read: Read) => void {
  let read: Read | undefined;
  const registers = [registry];

  function ofGateway(name: string, help: string, value: (state: GatewayState) => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read ? value(read()) : 0);
      },
    });
  }

  function ofTargets(name: string, help: string, value: (state: TargetState) => number): void {
    new Gauge({
      name,
      help,
      labelNames: ['model', 'target'],
      registers,
      collect() {
        // There may be others than the last time.
        this.reset();
        for (const state of read?.().targets ?? []) {
          this.set({ model: state.model, target: state.target }, value(state));
        }
      },
    });
  }

  ofGateway('gateway_generations_in_flight', 'Requests for images that are worked on', (state) => state.generations);
  ofGateway(
    'gateway_orphans',
    'Those whose caller has left, and that linger for its next request',
    (state) => state.orphans,
  );
  ofGateway('gateway_requests_waiting', 'Requests for images that wait for their turn', (state) => state.waiting);
  ofGateway('gateway_held_bytes', 'Memory that is set aside for requests', (state) => state.heldBytes);
  ofTargets('gateway_target_calls_in_flight', 'Calls that hold a slot of a target', (state) => state.calls);
  ofTargets('gateway_target_calls_waiting', 'Calls that wait for a slot of a target', (state) => state.waiting);
  ofTargets('gateway_target_cooling_down', '1 while a target has asked for a wait', (state) =>
    state.isCoolingDown ? 1 : 0,
  );
  new Gauge({
    name: 'gateway_target_breaker_state',
    help: '1 for the state that the circuit breaker of a target is in',
    labelNames: ['model', 'target', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { model, target, breaker } of read?.().targets ?? [])
        for (const state of breakerStates) this.set({ model, target, state }, state === breaker ? 1 : 0);
    },
  });
  return (where) => {
    read = where;
  };
}
