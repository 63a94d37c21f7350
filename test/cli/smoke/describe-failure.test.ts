import { expect, test } from 'vitest';
import { describeFailure } from '../../../src/cli/smoke/describe-failure.ts';
import { GatewayError } from '../../../src/domain/gateway-error.ts';

test.each([
  ['upstream_unavailable', 'not-processed', 'Nothing was billed.'],
  ['upstream_outcome_unknown', 'unknown', 'It may have been billed; look at the bill before you try again.'],
  ['upstream_incomplete', 'failed', 'No image was billed, but what the chat model has read and written is.'],
  ['moderation_blocked', 'refused', 'No image was billed; Azure does not say whether it bills the refused prompt.'],
  [
    'content_policy_violation',
    'refused',
    'No image was billed; Azure does not say whether it bills the refused prompt.',
  ],
  ['invalid_value', 'refused', 'Nothing was billed.'],
  ['upstream_no_image', 'failed', 'No image was billed, but what the chat model has read and written is.'],
] as const)('a failure says what it has cost: %s', (kind, outcome, words) => {
  expect(describeFailure(new GatewayError(kind, 'It failed.', { outcome }))).toBe(
    `No image: It failed.\n  ${kind}\n  ${words}\n`,
  );
});
