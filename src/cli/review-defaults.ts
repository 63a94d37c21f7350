import { familyOf } from '../app.ts';
import type { ModelConfig } from '../config/models-config.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { wireNames } from '../domain/image-request.ts';
import { type AdaptTo, adaptRequest } from '../parameters/adapt.ts';
import { plainRequest } from '../parameters/parameter-samples.ts';

/** A compression level is taken only with a format that has one, which callers may name. */
const formats = [undefined, 'jpeg', 'webp'];

/** Warns of defaults that no target takes, whatever is asked for: they yield to every request without a word. */
export function reviewDefaults(model: ModelConfig, warn: (key: string, message: string) => void): void {
  const { defaults, parameters: policy, targets } = model;
  const adaptTos = targets.map((target) => ({ family: familyOf(target), policy }));
  const values = defaults as Readonly<Record<string, unknown>>;
  for (const [member, name] of Object.entries(wireNames)) {
    const isGiven = values[name] !== undefined;
    if (!isGiven || adaptTos.some((adaptTo) => isTaken({ [member]: values[name] }, adaptTo))) continue;
    warn(name, `no target takes this value under \`parameters: ${policy}\`, so it is never used`);
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
