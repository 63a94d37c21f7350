import type { ModelConfig, TargetConfig } from '../config/models-config.ts';
import { isSameCredential } from '../domain/credential-source.ts';
import { TargetHealth } from './target-health.ts';
import type { GatewayTimes } from './times.ts';

type Known = { readonly place: string; readonly target: TargetConfig; readonly health: TargetHealth };

/** What is known about the targets of one configuration. */
export type Healths = {
  readonly of: ReadonlyMap<TargetConfig, TargetHealth>;
  /** From now on it counts, with the limits of this configuration. */
  adopt(): void;
};

/**
 * Hands on what is known about targets from one configuration to the next. A target whose calls stay what they are keeps
 * its breaker, its cool-down and its slots, whatever its name and its share. One whose calls change, such as by another
 * key, has a clean record; but calls that are under way to the same deployment keep their slots.
 */
export class TargetHealths {
  #known: readonly Known[] = [];

  /** Finds what is known about the targets of a new configuration. Nothing changes before it is adopted. */
  next(models: readonly ModelConfig[], times: GatewayTimes): Healths {
    const rest = new Set(this.#known);
    const next: Known[] = [];
    for (const { name, targets } of models) {
      for (const target of targets) {
        const place = placeOf(name, target);
        const found = [...rest].filter((known) => known.place === place);
        const known = found.find((one) => hasEqualCalls(one.target, target)) ?? found[0];
        if (known !== undefined) rest.delete(known);
        next.push({ place, target, health: healthAfter(known, target, times) });
      }
    }
    const adopt = () => {
      for (const { target, health } of next) health.limit(maxAtOnce(target), times);
      // A target that comes back must find its calls that still run.
      this.#known = [...next, ...[...rest].filter(({ health }) => health.slots.taken > 0)];
    };
    return { of: new Map(next.map(({ target, health }) => [target, health])), adopt };
  }
}

function healthAfter(known: Known | undefined, target: TargetConfig, times: GatewayTimes): TargetHealth {
  if (known === undefined) return new TargetHealth(maxAtOnce(target), times);
  if (hasEqualCalls(known.target, target)) return known.health;
  return new TargetHealth(maxAtOnce(target), times, known.health.slots);
}

function maxAtOnce({ maxConcurrent = Number.POSITIVE_INFINITY }: TargetConfig): number {
  return maxConcurrent;
}

/** Which deployment the calls for a model go to. */
function placeOf(model: string, target: TargetConfig): string {
  const deployment = 'deployment' in target ? target.deployment : undefined;
  const imageDeployment = 'imageDeployment' in target ? target.imageDeployment : undefined;
  return JSON.stringify([model, target.provider, target.baseURL, deployment ?? imageDeployment]);
}

function hasEqualCalls(one: TargetConfig, other: TargetConfig): boolean {
  return callsOf(one) === callsOf(other) && isSameCredential(one.credential, other.credential);
}

/** Everything but what only decides when the target is called, and what that costs. In JSON a key is masked. */
function callsOf(target: TargetConfig): string {
  const { name: _1, priority: _2, weight: _3, maxConcurrent: _4, price: _5, ...calls } = target;
  return JSON.stringify(calls);
}
