import type { ImageFacts, ImageUsage } from '../../domain/image-event.ts';
import type { Recorder } from '../../domain/recorder.ts';
import { wholeUsage } from './whole-usage.ts';

export type AnswerSummary = {
  readonly created?: number;
  readonly usage?: ImageUsage;
  readonly facts?: ImageFacts;
};

/**
 * What an answer or an event says beside its images, by its wire names; empty values and values of an unexpected type are
 * left out. Usage that is not whole numbers is told to `recorder`.
 */
export function answerSummary(members: Readonly<Record<string, unknown>>, recorder?: Recorder): AnswerSummary {
  const { created } = members;
  let isOdd = false;
  const usage = wholeUsage(members.usage, () => {
    isOdd = true;
  });
  if (isOdd) recorder?.anomaly('usage_not_whole');
  const facts = {
    ...text('size', members.size),
    ...text('quality', members.quality),
    ...text('background', members.background),
    ...text('outputFormat', members.output_format),
  };
  return {
    ...(typeof created === 'number' && Number.isSafeInteger(created) && created > 0 && { created }),
    ...(usage && { usage }),
    ...(Object.keys(facts).length > 0 && { facts }),
  };
}

function text(name: keyof ImageFacts, value: unknown): ImageFacts {
  return typeof value === 'string' && value !== '' ? { [name]: value } : {};
}
