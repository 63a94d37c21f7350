import { describe, expect, test } from 'vitest';
import { describeBill } from '../../../src/cli/smoke/describe-bill.ts';
import { costOfImages } from '../../../src/domain/cost.ts';

const bill = { cost: costOfImages(0.0412, 1), currency: 'EUR', mayBeMore: false };

describe('what an image has cost', () => {
  test('is told with what was counted', () => {
    const said = describeBill({ input_tokens: 12, output_tokens: 272 }, bill);
    expect(said).toBe('Azure has counted: input_tokens 12, output_tokens 272.\nThe cost is 0.0412 EUR.');
  });

  test('is told where nothing was counted', () => {
    expect(describeBill(undefined, bill)).toBe('Azure has not said what it counted.\nThe cost is 0.0412 EUR.');
  });

  test.each([undefined, 'EUR'])('is unknown without a price (currency %s), and never 0', (currency) => {
    const [, said] = describeBill(undefined, { ...bill, cost: undefined, currency }).split('\n');
    expect(said).toMatch(/^The cost is unknown: .*`prices`.*models file.*docs\/observability\.md/);
    expect(said).not.toMatch(/\d/);
  });
});
