import { filteredImage, filteredTask, moderationBlocked, moderationDetails } from '../azure-errors.ts';
import type { ImageJob } from '../image-job.ts';
import type { Members } from '../images-response.ts';
import { jobPhase } from '../operations.ts';
import type { ScenarioName } from '../scenarios.ts';

/** What a request asks of the Responses API, checked. */
export type ResponseOrder = {
  readonly image: ImageJob;
  readonly inBackground: boolean;
  readonly isStored: boolean;
  /** What the response repeats of the request. */
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

/** Says whether the scenario can show itself in a response of this kind. */
export function canShowScenario({ image, inBackground }: ResponseOrder): boolean {
  const mode = inBackground ? 'background' : image.stream ? 'stream' : 'whole';
  return (onlyMode[image.scenario.name] ?? mode) === mode;
}

/** The states of a response. */
export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'cancelled' | 'incomplete';

/** What a response puts out: calls of the tool, with image, without, or failed, and messages. */
export type OutputKind =
  | { readonly kind: 'image' | 'empty-call' | 'text' | 'refusal' }
  | { readonly kind: 'failed-call'; readonly error: Members };

/** How a response ends. */
type ResponseOutcome = {
  readonly status: ResponseStatus;
  readonly error?: { readonly code: string; readonly message: string };
  /** Why it is incomplete. */
  readonly reason?: string;
  readonly output: readonly OutputKind[];
};

const image = { kind: 'image' } as const;
const text = { kind: 'text' } as const;

const failed = (code: string, message: string): ResponseOutcome => ({
  status: 'failed',
  error: { code, message },
  output: [],
});
const failedCall = (error: Members): ResponseOutcome => ({
  status: 'completed',
  output: [{ kind: 'failed-call', error }, text],
});

// These codes are in the enumeration of the specification.
const outcomes: Partial<Record<ScenarioName, (job: ResponseJob) => ResponseOutcome>> = {
  'empty-data': () => ({ status: 'completed', output: [{ kind: 'empty-call' }, text] }),
  'filter-item': () => failedCall({ ...filteredImage, type: 'image_generation_user_error', param: null }),
  'filter-200-task': () => failed(filteredTask.code, filteredTask.message),
  'filter-200-image': () => failed(filteredImage.code, filteredImage.message),
  'agent-text-only': () => ({ status: 'completed', output: [text] }),
  'agent-refusal': () => ({ status: 'completed', output: [{ kind: 'refusal' }] }),
  'agent-failed': () => failed('server_error', 'An error occurred while processing your request.'),
  'agent-failed-rate-limit': () => failed('rate_limit_exceeded', 'Rate limit reached. Please try again later.'),
  'agent-failed-policy': () => failed('image_content_policy_violation', 'The image was refused by the content policy.'),
  'agent-failed-image': () => failed('invalid_image', 'The image data you provided does not represent a valid image.'),
  'agent-call-failed': ({ requestId }) => {
    const { error } = moderationBlocked(requestId).body as { error: Members };
    return failedCall({ ...error, moderation_details: moderationDetails });
  },
  'agent-incomplete': () => ({ status: 'incomplete', reason: 'max_output_tokens', output: [text] }),
  'agent-incomplete-filter': () => ({ status: 'incomplete', reason: 'content_filter', output: [] }),
  'agent-cancelled': () => ({ status: 'cancelled', output: [] }),
  'agent-in-progress': () => ({ status: 'in_progress', output: [] }),
};

/** How this response ends, or what it says of itself instead of an end. */
export function outcomeOf(job: ResponseJob): ResponseOutcome {
  const { scenario, count } = job.image;
  return (
    outcomes[scenario.name]?.(job) ?? {
      status: 'completed',
      output: [...Array.from({ length: count }, () => image), text],
    }
  );
}

/** A response that may be asked for again. */
export type StoredResponse = { readonly job: ResponseJob; polls: number; isCancelled: boolean };

/** The responses that were to be stored. */
export type ResponseStore = {
  keep(job: ResponseJob): void;
  /** Finds a response where it was made: in its project, or at the resource. */
  find(id: string, project: string | undefined): StoredResponse | undefined;
};

const keptResponses = 1000;

/** Creates an empty store. */
export function createResponseStore(): ResponseStore {
  const responses = new Map<string, StoredResponse>();
  return {
    keep(job) {
      responses.set(job.id, { job, polls: 0, isCancelled: false });
      const oldest = responses.keys().next().value;
      if (responses.size > keptResponses && oldest !== undefined) responses.delete(oldest);
    },
    find(id, project) {
      const found = responses.get(id);
      return found?.job.project === project ? found : undefined;
    },
  };
}

/** The state of a stored response now; one in background takes so many milliseconds. */
export function statusOf({ job, isCancelled }: StoredResponse, operationMs: number): ResponseStatus {
  if (isCancelled) return 'cancelled';
  const { status } = outcomeOf(job);
  if (!job.inBackground) return status;
  const phase = jobPhase(Date.now() - job.createdAt, operationMs);
  if (phase === 'queued') return 'queued';
  return phase === 'running' || job.image.scenario.name === 'agent-stuck' ? 'in_progress' : status;
}
