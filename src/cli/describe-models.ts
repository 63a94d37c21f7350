import type { PlannedCall } from '../domain/dialect.ts';
import type { LogicalModel, ModelCatalog, Target } from '../targets/model-catalog.ts';

/** What the configuration means, for people: models, their other names, and where their calls go. No secrets. */
export function describeModels(catalog: ModelCatalog): string {
  return catalog.models.map((model) => describeModel(model, catalog)).join('\n');
}

function describeModel({ name, timeoutMs, targets }: LogicalModel, { aliases, defaultModel }: ModelCatalog): string {
  const otherNames = [...aliases].filter(([, model]) => model === name).map(([alias]) => alias);
  const remarks = [
    ...(name === defaultModel ? ['default model'] : []),
    ...(otherNames.length > 0 ? [`also called ${otherNames.join(', ')}`] : []),
    `deadline ${timeoutMs / 1000} s`,
  ];
  return `${name} (${remarks.join('; ')})\n${targets.map(describeTarget).join('')}`;
}

function describeTarget({ name, family, priority, weight, provider, calls }: Target): string {
  return `  target ${name}: ${provider.id}, family ${family.name}, priority ${priority}, weight ${weight}\n${calls.map(describeCall).join('')}`;
}

function describeCall({ url, remarks }: PlannedCall): string {
  return `    POST ${url}${remarks.length === 0 ? '' : ` (${remarks.join(', ')})`}\n`;
}
