import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { confirm, describeBill, describeFailure } from '../../src/cli/smoke.ts';
import { costOfImages } from '../../src/domain/cost.ts';
import { GatewayError } from '../../src/domain/gateway-error.ts';

/** What a person at a terminal types; `undefined`: the input ends. */
async function asked(typed: string | undefined, isTerminal = false) {
  const input = new PassThrough();
  const output = new PassThrough();
  const answer = confirm('Go on? [y/N] ', { input, output: Object.assign(output, { isTTY: isTerminal }) });
  if (typed === undefined) input.end();
  else input.write(typed);
  return [await answer, String(output.read())];
}

test.each([
  ['y\n', 'yes'],
  ['Yes\n', 'yes'],
  ['n\n', 'no'],
  ['\n', 'no'],
  ['yellow\n', 'no'],
  [undefined, 'no'],
])('%j is a %s', async (typed, answer) => {
  expect(await asked(typed)).toEqual([answer, expect.stringContaining('Go on?')]);
});

test('Ctrl-C at the question interrupts', async () => {
  const [answer] = await asked('\x03', true);
  expect(answer).toBe('interrupted');
});

const bill = { cost: costOfImages(0.0412, 1), currency: 'EUR', mayBeMore: false, isEstimate: false };

describe('what an image has cost', () => {
  test('is told with what was counted', () => {
    const said = describeBill({ input_tokens: 12, output_tokens: 272 }, bill);
    expect(said).toBe('Usage: input_tokens 12, output_tokens 272.\nCost: 0.0412 EUR.');
  });

  test('is told where nothing was counted', () => {
    expect(describeBill(undefined, bill)).toBe('Usage: Azure reported none.\nCost: 0.0412 EUR.');
  });

  test('is told as an estimate where it was counted with list prices', () => {
    expect(describeBill(undefined, { ...bill, isEstimate: true })).toContain(
      '\nCost: 0.0412 EUR, estimated with list prices.',
    );
  });

  test.each([undefined, 'EUR'])('is unknown without a price (currency %s), and never 0', (currency) => {
    const [, said] = describeBill(undefined, { ...bill, cost: undefined, currency }).split('\n');
    expect(said).toMatch(/^Cost: unknown, .*`prices`.*models file.*docs\/observability\.md/);
    expect(said).not.toMatch(/\d/);
  });
});

test.each([
  ['upstream_unavailable', 'not-processed', 'Nothing was billed.'],
  ['upstream_outcome_unknown', 'unknown', 'The image may have been billed: check the bill before you try again.'],
  ['upstream_incomplete', 'failed', 'No image was billed, but the tokens of the chat model are.'],
  ['moderation_blocked', 'refused', 'No image was billed; Azure does not say whether it bills the refused prompt.'],
  [
    'content_policy_violation',
    'refused',
    'No image was billed; Azure does not say whether it bills the refused prompt.',
  ],
  ['invalid_value', 'refused', 'Nothing was billed.'],
  ['upstream_no_image', 'failed', 'No image was billed, but the tokens of the chat model are.'],
] as const)('a failure says what it has cost: %s', (kind, outcome, words) => {
  expect(describeFailure(new GatewayError(kind, 'It failed.', { outcome }))).toBe(
    `No image: It failed.\n  ${kind}\n  ${words}\n`,
  );
});
