import type { CredentialSource } from '../domain/credential-source.ts';
import type { TargetConfig } from './models-config.ts';

/** What of a target's configuration tells whether a later one is still the same target. */
export function targetIdentity(
  model: string,
  target: TargetConfig,
): { place: string; calls: string; credential: CredentialSource; maxConcurrent: number } {
  const { credential, maxConcurrent = Number.POSITIVE_INFINITY } = target;
  return { place: placeOf(model, target), calls: callsOf(target), credential, maxConcurrent };
}

function placeOf(model: string, target: TargetConfig): string {
  const deployment = 'deployment' in target ? target.deployment : undefined;
  const imageDeployment = 'imageDeployment' in target ? target.imageDeployment : undefined;
  return JSON.stringify([model, target.provider, target.baseURL, deployment ?? imageDeployment]);
}

/** Everything but what only decides when the target is called, and what that costs. In JSON a key is masked. */
function callsOf(target: TargetConfig): string {
  const { name: _1, priority: _2, weight: _3, maxConcurrent: _4, price: _5, quota: _6, ...others } = target;
  const { retires: _7, replacedBy: _8, ...calls } = others;
  return JSON.stringify(calls);
}
