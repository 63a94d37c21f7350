import { expect, test } from 'vitest';
import type { SpendRow } from '../../../../src/domain/ledger.ts';
import { spendCsv, spendObject } from '../../../../src/http/surfaces/spend/spend-rows.ts';

const row: SpendRow = {
  ...{ consumer: 'shop', currency: 'USD', calls: 2, images: 3, textIn: 4, imageIn: 5, cachedIn: 6, textOut: 7 },
  ...{ imageOut: 8, cost: 1_230_001, estimatedCost: 30_000, assumedCost: 40_000, unpriced: 9, unknownOutcomes: 1 },
};
const query = { from: '2026-11-01', to: '2026-11-30', by: ['consumer', 'model'], consumer: undefined } as const;

test('CSV has a line of names, and money without an exponent', () => {
  expect(spendCsv(query, [{ ...row, model: 'poster', assumedCost: 1 }])).toBe(
    [
      'consumer,model,currency,calls,images,text_in_tokens,image_in_tokens,cached_in_tokens,text_out_tokens,image_out_tokens,cost,estimated_cost,assumed_cost,unpriced_calls,unknown_outcomes',
      'shop,poster,USD,2,3,4,5,6,7,8,1.230001,0.03,0.000001,9,1',
      '',
    ].join('\r\n'),
  );
});

test.each([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@sum', "'@sum"],
  ['\t=1', "'\t=1"],
  ['=a,"b"', `"'=a,""b"""`],
  ['a,b', '"a,b"'],
  ['a "b"', '"a ""b"""'],
  ['a\r\nb', '"a\r\nb"'],
  ['plain', 'plain'],
])('the name %j stands in CSV as %j', (model, field) => {
  expect(spendCsv({ by: ['model'] }, [{ ...row, model }])).toContain(`\r\n${field},USD,2,`);
});

test('JSON has totals for each currency', () => {
  const euros = { ...row, currency: 'EUR', cost: 500_000 };
  const found = spendObject(query, [row, row, euros], 'USD') as { data: object[]; totals: object[] };
  expect(found.data).toHaveLength(3);
  expect(found.totals).toMatchObject([
    { currency: 'USD', calls: 4, cost: 2.460002, assumed_cost: 0.08 },
    { currency: 'EUR', calls: 2, cost: 0.5 },
  ]);
});

test('JSON has totals where nothing was spent', () => {
  expect(spendObject(query, [], 'USD')).toMatchObject({ data: [], totals: [{ currency: 'USD', calls: 0, cost: 0 }] });
});
