import { providerOf } from '../../app.ts';
import type { TargetConfig } from '../../config/models-config.ts';

/** What can be asked about a target for free. */
export function freeQuestions(target: TargetConfig) {
  return providerOf(target).probe(target);
}

/** Whether a target is a Foundry project, and not a resource. */
export function isProject(target: TargetConfig): boolean {
  return freeQuestions(target).isProject;
}
