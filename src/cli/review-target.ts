import type { TargetConfig } from '../config/models-config.ts';
import { suggest } from '../config/suggest.ts';
import { modelFamilies, modelFamily, unknownFamily } from '../parameters/model-families.ts';

/** Deployments have edits from this version on: https://learn.microsoft.com/azure/ai-foundry/openai/reference-preview */
const firstWithEdits = '2025-04-01-preview';

/** Warns of what is valid, but probably not meant, by the family of the target's model. */
export function reviewTarget(target: TargetConfig, warn: (key: string, message: string) => void): void {
  const { model, capabilities } = target;
  const family = modelFamily(model, capabilities);
  if (family.name === unknownFamily.name && Object.keys(capabilities).length === 0) {
    const known = modelFamilies.map(({ name }) => name);
    warn('model', `no family is known for this model, so every parameter is left to Azure${suggest(model, known)}`);
  }
  if (target.provider !== 'azure-deployment' || !family.operations.includes('edit')) return;
  if (isBefore(target.apiVersion, firstWithEdits)) {
    warn('apiVersion', `deployments cannot edit in this version: edits need ${firstWithEdits} or later`);
  }
}

/** Versions begin with their day; one that does not is not judged. */
function isBefore(version: string, other: string): boolean {
  return /^\d{4}-\d\d-\d\d/.test(version) && version.slice(0, 10) < other.slice(0, 10);
}
