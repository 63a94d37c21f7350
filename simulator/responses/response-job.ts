import type { ImageJob } from '../image-job.ts';
import type { Members } from '../images-answer.ts';
import type { ScenarioName } from '../scenarios.ts';

/** What a request asks of the Responses API, checked. */
export type ResponseOrder = {
  readonly image: ImageJob;
  readonly inBackground: boolean;
  readonly isStored: boolean;
  /** What the answer repeats of the request. */
  readonly echo: Members;
};

/** An accepted order. `createdAt` is in milliseconds since 1970. */
export type ResponseJob = ResponseOrder & {
  readonly id: string;
  readonly createdAt: number;
  readonly project: string | undefined;
  readonly requestId: string;
};

type Mode = 'whole' | 'stream' | 'background';

const onlyMode: Partial<Record<ScenarioName, Mode>> = {
  'agent-in-progress': 'whole',
  'agent-completed-only': 'stream',
  'agent-lost': 'background',
  'agent-poll-500': 'background',
  'agent-stuck': 'background',
};

/** Says whether the scenario can show itself in the way this order is to be answered. */
export function isAnswerable({ image, inBackground }: ResponseOrder): boolean {
  const mode = inBackground ? 'background' : image.stream ? 'stream' : 'whole';
  return (onlyMode[image.scenario.name] ?? mode) === mode;
}
