import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/config/problems.ts';
import { targetIdentity } from '../../src/config/target-identity.ts';
import { parseModels } from '../helpers/parse-models.ts';

const target = { provider: 'azure-v1', model: 'gpt-image-2', baseURL: 'https://a.openai.azure.com', apiKey: 'key' };

function parse(quotas: unknown, keys: object = {}) {
  return parseModels(JSON.stringify({ quotas, models: { image: { ...target, ...keys } } }), {});
}

function problems(quotas: unknown, keys: object = {}): string {
  try {
    parse(quotas, keys);
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

test('quotas have the numbers that the file gives, and targets name theirs', () => {
  const quotas = { 'sub-a': { requestsPerMinute: 12, imagesPerMinute: 40 }, 'sub-b': {} };
  const { quotas: read, models, warnings } = parse(quotas, { quota: 'sub-a' });
  expect(Object.fromEntries(read)).toEqual({ 'sub-a': { requests: 12, images: 40 }, 'sub-b': {} });
  expect(models[0]?.targets[0]?.quota).toBe('sub-a');
  expect(warnings.join()).toContain('quotas.sub-b');
  expect(warnings.join()).not.toContain('quotas.sub-a');
});

describe('a mistake in quotas is reported', () => {
  test.each([
    [
      'a name that does not exist',
      { 'sub-a': {} },
      { quota: 'sub-b' },
      'models.image.quota (line 1): no entry of `quotas`',
    ],
    ['a name like another one', { 'sub-east': {} }, { quota: 'sub-aest' }, 'did you mean `sub-east`?'],
    ['no quotas at all', undefined, { quota: 'sub-a' }, 'models.image.quota (line 1): no entry of `quotas`'],
    [
      'no request at all',
      { a: { requestsPerMinute: 0 } },
      {},
      'quotas.a.requestsPerMinute (line 1): must be at least 1',
    ],
    ['another key', { a: { requestPerMinute: 5 } }, {}, 'did you mean `requestsPerMinute`?'],
  ])('%s', (_, quotas, keys, message) => {
    expect(problems(quotas, keys)).toContain(message);
  });
});

test('a target with another quota keeps its breaker and its permits', () => {
  const identity = (quota: string) => {
    const [found] = parse({ a: {}, b: {} }, { quota }).models[0]?.targets ?? [];
    if (found === undefined) throw new Error('there is no target');
    return targetIdentity('image', found);
  };
  expect(identity('a')).toEqual(identity('b'));
});
