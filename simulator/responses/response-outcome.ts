import { filteredImage, filteredTask, moderationBlocked, moderationDetails } from '../azure-errors.ts';
import type { Members } from '../images-answer.ts';
import type { ScenarioName } from '../scenarios.ts';
import type { ResponseJob } from './response-job.ts';

/** The states of a response (CONTRACTS §3.4). */
export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'cancelled' | 'incomplete';

/** What a response puts out: calls of the tool, with image, without, or failed, and messages. */
export type OutputKind =
  | { readonly kind: 'image' | 'empty-call' | 'text' | 'refusal' }
  | { readonly kind: 'failed-call'; readonly error: Members };

/** How a response ends. */
export type ResponseOutcome = {
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

// CONTRACTS §3.4, failures: these codes are in the enumeration of the specification.
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
