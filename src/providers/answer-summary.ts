import type { ImageFacts, ImageUsage } from '../domain/image-event.ts';

export type AnswerSummary = {
  readonly created?: number;
  readonly usage?: ImageUsage;
  readonly facts?: ImageFacts;
};

/** What an answer or an event says beside its pictures, by its wire names; values of an unexpected type are left out. */
export function answerSummary(members: Readonly<Record<string, unknown>>): AnswerSummary {
  const { created, usage } = members;
  const facts = {
    ...text('size', members.size),
    ...text('quality', members.quality),
    ...text('background', members.background),
    ...text('outputFormat', members.output_format),
  };
  return {
    ...(typeof created === 'number' && Number.isSafeInteger(created) && created > 0 && { created }),
    ...(typeof usage === 'object' && usage !== null && !Array.isArray(usage) && { usage: usage as ImageUsage }),
    ...(Object.keys(facts).length > 0 && { facts }),
  };
}

function text(name: keyof ImageFacts, value: unknown): ImageFacts {
  return typeof value === 'string' ? { [name]: value } : {};
}
