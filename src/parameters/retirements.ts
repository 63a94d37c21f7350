import type { Retirement } from '../domain/retirement.ts';
import { undatedModel } from '../domain/undated-model.ts';

const azureDocs = 'https://github.com/MicrosoftDocs/azure-ai-docs/blob/main/articles/foundry/openai';
const schedule = `${azureDocs}/includes/concepts-model-retirement-schedule-content.md`;

/** Version 1.110.2 of its map of models has newer dates of Azure's than the copy of the schedule that was read, of July 2026. */
const liteLlm = 'https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json';

/**
 * When Azure ends its image models, as far as that was known on 2026-12-01. A successor is a model of the same kind that lives at
 * least half a year longer. Models without a date are left out: Azure has published none, or they are not on Azure.
 */
export const retirements: Readonly<Record<string, Retirement>> = {
  'dall-e-2': {
    date: '2025-01-27',
    successor: 'gpt-image-2',
    source: `${azureDocs}/includes/concepts-retired-models-content.md`,
  },
  'dall-e-3': {
    date: '2026-03-04',
    successor: 'gpt-image-2',
    source: `${azureDocs}/includes/dall-e-retirement.md`,
  },
  'gpt-image-1': { date: '2026-10-23', successor: 'gpt-image-2', source: schedule },
  'gpt-image-1-mini': { date: '2027-04-07', successor: 'gpt-image-2', source: schedule },
  'gpt-image-1.5': { date: '2026-12-16', successor: 'gpt-image-2', source: schedule },
  'gpt-image-2': { date: '2027-10-21', source: liteLlm },
  'gpt-image-2.5-flare': { date: '2027-09-09', source: liteLlm },
  'gpt-image-2.5-sunburst': { date: '2027-09-09', source: liteLlm },
  'mai-image-2': { date: '2026-08-15', successor: 'MAI-Image-2.6', source: schedule },
  'mai-image-2e': { date: '2026-08-15', successor: 'MAI-Image-2.6-Flash', source: schedule },
  'mai-image-2.5': { date: '2026-10-01', successor: 'MAI-Image-2.6', source: liteLlm },
  'mai-image-2.5-flash': { date: '2026-10-01', successor: 'MAI-Image-2.6-Flash', source: liteLlm },
  'mai-image-2.5-pro': { date: '2026-10-01', successor: 'MAI-Image-2.6', source: liteLlm },
  'flux-1.1-pro': { date: '2027-01-05', source: liteLlm },
  'flux.1-kontext-pro': { date: '2027-01-05', source: liteLlm },
  'flux.2-pro': { date: '2027-01-20', source: liteLlm },
  'flux.2-flex': { date: '2027-01-20', source: liteLlm },
};

const byModel = new Map(Object.entries(retirements));

/**
 * When the model of a target ends.
 * @param retires what the operator says: a day, or that it does not end
 */
export function retirementOf({ model, retires }: { model: string; retires?: string }): Retirement | undefined {
  if (retires === 'never') return undefined;
  const published = byModel.get(undatedModel(model));
  if (retires === undefined) return published;
  const { successor } = published ?? {};
  return { date: retires, ...(successor !== undefined && { successor }) };
}
