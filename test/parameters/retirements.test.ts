import { expect, test } from 'vitest';
import { modelFamily, unknownFamily } from '../../src/parameters/model-families.ts';
import { retirementOf, retirements } from '../../src/parameters/retirements.ts';

const entries = Object.entries(retirements);

test.each(entries)('%s has a date, a source, and a successor that lives longer', (model, retirement) => {
  const { date, source = '', successor } = retirement;
  expect(new Date(date).toISOString().slice(0, 10)).toBe(date);
  expect(new URL(source).protocol).toBe('https:');
  expect(modelFamily(model).name, 'a family that the gateway knows').not.toBe(unknownFamily.name);
  if (successor === undefined) return;
  const { date: later = '9999-12-31' } = retirementOf({ model: successor }) ?? {};
  expect(Date.parse(later) - Date.parse(date)).toBeGreaterThan(180 * 86_400_000);
  expect(modelFamily(successor).name).not.toBe(unknownFamily.name);
});

test.each([
  ['gpt-image-1.5', '2026-12-16'],
  ['GPT-Image-1', '2026-10-23'],
  ['gpt-image-1-mini', '2027-04-07'],
  ['gpt-image-1-mini-2025-10-06', '2027-04-07'],
  ['FLUX.2-pro', '2027-01-20'],
  ['MAI-Image-2.6', undefined],
  ['gpt-image-2.6-flare', undefined],
  ['gpt-image-15', undefined],
  ['constructor', undefined],
  ['my-model', undefined],
])('%s retires on %s', (model, date) => {
  expect(retirementOf({ model })).toEqual(date === undefined ? undefined : expect.objectContaining({ date }));
});

test('the operator may know another date, and has the last word', () => {
  expect(retirementOf({ model: 'gpt-image-1.5', retires: '2027-03-01' })).toEqual({
    date: '2027-03-01',
    successor: 'gpt-image-2',
  });
  expect(retirementOf({ model: 'my-model', retires: '2027-03-01' })).toEqual({ date: '2027-03-01' });
  expect(retirementOf({ model: 'gpt-image-1.5', retires: 'never' })).toBeUndefined();
});
