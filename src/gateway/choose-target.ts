import { GatewayError } from '../domain/gateway-error.ts';
import type { Operation } from '../domain/image-request.ts';
import type { LogicalModel, Target } from './model-catalog.ts';

type Choosable = { readonly priority: number; readonly weight: number };

/** One of the targets with the lowest priority number, by weight. `random` is in [0, 1); `targets` is not empty. */
export function chooseTarget<T extends Choosable>(targets: readonly T[], random: number): T {
  const lowest = Math.min(...targets.map(({ priority }) => priority));
  const candidates = targets.filter(({ priority }) => priority === lowest);
  let rest = random * candidates.reduce((sum, { weight }) => sum + weight, 0);
  for (const candidate of candidates) {
    rest -= candidate.weight;
    if (rest < 0) return candidate;
  }
  return candidates.at(-1) as T;
}

/** The targets that can do the operation; throws `unsupported_operation` where there are none. */
export function targetsFor(operation: Operation, { name, targets }: LogicalModel): readonly Target[] {
  const able = targets.filter(
    ({ family, provider }) => family.operations.includes(operation) && provider.operations.includes(operation),
  );
  if (able.length > 0) return able;
  const message = `The model '${name}' cannot ${operation === 'edit' ? 'edit' : 'generate'} pictures.`;
  throw new GatewayError('unsupported_operation', message, { param: 'model' });
}
