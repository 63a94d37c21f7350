import { expect, test } from 'vitest';
import { costOfImages } from '../../src/domain/cost.ts';
import { billFacts } from '../../src/telemetry/bill-facts.ts';

const four = costOfImages(0.04, 1);

test.each([
  ['known', { cost: four, currency: 'EUR', mayBeMore: false }, { cost: 0.04, currency: 'EUR' }],
  [
    'known in part',
    { cost: four, currency: 'EUR', mayBeMore: true },
    { cost: 0.04, currency: 'EUR', costMayBeMore: true },
  ],
  ['without a price', { cost: undefined, currency: undefined, mayBeMore: false }, { cost: null }],
  ['of what may have been billed', { cost: 0n, currency: 'EUR', mayBeMore: true }, { cost: null, costMayBeMore: true }],
  ['of nothing', { cost: 0n, currency: undefined, mayBeMore: false }, { cost: 0 }],
])('the cost %s', (_, bill, facts) => {
  expect(billFacts(bill)).toEqual(facts);
});
