import type { Review } from '../config/load-models.ts';
import type { ModelConfig, TargetConfig } from '../config/models-config.ts';
import { suggest } from '../config/problems.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { wireNames } from '../domain/image-request.ts';
import { agentCapabilities, toolCapabilities } from '../domain/image-tool.ts';
import { type FitTo, fitRequest } from '../parameters/fit-request.ts';
import { type ModelFamily, modelFamilies, modelFamily, unknownFamily } from '../parameters/model-families.ts';
import { plainRequest } from '../parameters/parameter-samples.ts';

/** Warns about what is valid in a models file but probably not meant, judged by the model families. */
export const review: Review = { target: reviewTarget, defaults: reviewDefaults };

/** Deployments can edit from this api-version on: https://learn.microsoft.com/azure/ai-foundry/openai/reference-preview */
const firstWithEdits = '2025-04-01-preview';

/** A compression level is taken only with a format that has one, which requests may name. */
const formats = [undefined, 'jpeg', 'webp'];

function reviewTarget(target: TargetConfig, warn: (key: string, message: string) => void): void {
  const { model, capabilities } = target;
  if (modelFamily(model).name === unknownFamily.name && Object.keys(capabilities).length === 0) {
    const known = modelFamilies.map(({ name }) => name);
    warn('model', `unknown model family, so Azure alone checks the parameters${suggest(model, known)}`);
  }
  if (target.provider !== 'azure-deployment' || !familyOf(target).operations.includes('edit')) return;
  if (isBefore(target.apiVersion, firstWithEdits)) {
    warn('apiVersion', `this version does not support edits, which need ${firstWithEdits} or later`);
  }
}

/** Warns of defaults that no target takes: requests never get them, and nobody would notice. */
function reviewDefaults(model: ModelConfig, warn: (key: string, message: string) => void): void {
  const { defaults, parameters: policy, targets } = model;
  const fitTos = targets.map((target) => ({ family: familyOf(target), policy }));
  const values = defaults as Readonly<Record<string, unknown>>;
  for (const [member, name] of Object.entries(wireNames)) {
    const isGiven = values[name] !== undefined;
    if (!isGiven || fitTos.some((fitTo) => isTaken({ [member]: values[name] }, fitTo))) continue;
    warn(name, `no target supports this value under \`parameters: ${policy}\`, so it is never used`);
  }
}

function familyOf(target: TargetConfig): ModelFamily {
  const { model, capabilities } = target;
  if (target.provider !== 'foundry-agent') return modelFamily(model, capabilities);
  const ofProtocol = 'chatDeployment' in target.artist ? toolCapabilities : agentCapabilities;
  return modelFamily(model, { ...ofProtocol, ...capabilities });
}

function isTaken(members: object, fitTo: FitTo): boolean {
  return formats.some((outputFormat) => {
    try {
      fitRequest({ ...plainRequest, outputFormat, ...members }, fitTo);
      return true;
    } catch (error) {
      if (error instanceof GatewayError) return false;
      throw error;
    }
  });
}

/** Versions start with a date; others are not judged. */
function isBefore(version: string, other: string): boolean {
  return /^\d{4}-\d\d-\d\d/.test(version) && version.slice(0, 10) < other.slice(0, 10);
}
