import { providerOf } from '../app.ts';
import type { TargetConfig } from '../config/models-config.ts';
import { suggest } from '../config/suggest.ts';
import { modelFamilies, modelFamily, unknownFamily } from '../parameters/model-families.ts';

/** Warns of what is valid, but probably not meant, by the family of the target's model. */
export function reviewTarget(target: TargetConfig, warn: (key: string, message: string) => void): void {
  const { model, capabilities } = target;
  const family = modelFamily(model, capabilities);
  if (family.name === unknownFamily.name && Object.keys(capabilities).length === 0) {
    const known = modelFamilies.map(({ name }) => name);
    warn('model', `no family is known for this model, so every parameter is left to Azure${suggest(model, known)}`);
  }
  for (const [key, message] of providerOf(target).warnings?.(target, family.operations) ?? []) warn(key, message);
}
