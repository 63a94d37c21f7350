import { familyOf, providerOf } from '../app.ts';
import type { Review } from '../config/load-models.ts';
import type { ModelConfig, TargetConfig } from '../config/models-config.ts';
import { suggest } from '../config/problems.ts';
import { isInstalled } from '../conversion/load-sharp.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { wireNames } from '../domain/image-request.ts';
import { type AdaptTo, adaptRequest } from '../parameters/adapt.ts';
import { modelFamilies, modelFamily, unknownFamily } from '../parameters/model-families.ts';
import { plainRequest } from '../parameters/parameter-samples.ts';

/** Warns about what is valid in a models file but probably not meant, judged by the model families. */
export const review: Review = { target: reviewTarget, defaults: reviewDefaults };

/** A compression level is taken only with a format that has one, which requests may name. */
const formats = [undefined, 'jpeg', 'webp'];

function reviewTarget(target: TargetConfig, warn: (key: string, message: string) => void): void {
  const { model, capabilities } = target;
  if (modelFamily(model).name === unknownFamily.name && Object.keys(capabilities).length === 0) {
    const known = modelFamilies.map(({ name }) => name);
    warn('model', `unknown model family, so Azure alone checks the parameters${suggest(model, known)}`);
  }
  const { operations } = familyOf(target);
  for (const [key, message] of providerOf(target).warnings?.(target, operations) ?? []) warn(key, message);
}

/** Warns of defaults that no target takes: requests never get them, and nobody would notice. */
function reviewDefaults(model: ModelConfig, warn: (key: string, message: string) => void): void {
  const { defaults, parameters: policy, targets } = model;
  const canConvert = isInstalled('sharp');
  const adaptTos = targets.map((target) => ({ family: familyOf(target), policy, canConvert }));
  const values = defaults as Readonly<Record<string, unknown>>;
  for (const [member, name] of Object.entries(wireNames)) {
    const isGiven = values[name] !== undefined;
    if (!isGiven || adaptTos.some((adaptTo) => isTaken({ [member]: values[name] }, adaptTo))) continue;
    warn(name, `no target supports this value under \`parameters: ${policy}\`, so it is never used`);
  }
}

function isTaken(members: object, adaptTo: AdaptTo): boolean {
  return formats.some((outputFormat) => {
    try {
      adaptRequest({ ...plainRequest, outputFormat, ...members }, adaptTo);
      return true;
    } catch (error) {
      if (error instanceof GatewayError) return false;
      throw error;
    }
  });
}
