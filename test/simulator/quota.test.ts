import { describe, expect, onTestFinished, test } from 'vitest';
import { parseQuota, Quotas } from '../../simulator/quota.ts';
import { startSimulator } from '../../simulator/start-simulator.ts';

const version = '2025-04-01-preview';

/** The times at which a quota accepts, among these. */
function accepted(quotas: Quotas, times: readonly number[], deployment = 'gpt-image-2'): number[] {
  return times.filter((time) => quotas.take(deployment, version, time)?.refusal === undefined);
}

describe('a quota of the simulator', () => {
  test('accepts so many requests in any window, and none that it refuses counts', () => {
    const quotas = new Quotas([{ requests: 2, windowMs: 1_000 }]);
    expect(accepted(quotas, [0, 100, 200, 999, 1_000, 1_050, 1_100, 2_000])).toEqual([0, 100, 1_000, 1_100, 2_000]);
    expect(quotas.refused).toBe(3);
  });

  test('that is even accepts no more than its share of 10 and of 1 seconds', () => {
    const quotas = new Quotas([{ requests: 12, windowMs: 60_000, isEven: true }]);
    expect(accepted(quotas, [0, 500, 1_000, 2_000, 9_999, 10_000, 11_000])).toEqual([0, 1_000, 10_000, 11_000]);
  });

  test('is shared by its deployments only', () => {
    const quotas = new Quotas([{ requests: 1, windowMs: 1_000, deployments: ['a', 'b'] }]);
    expect([accepted(quotas, [0], 'a'), accepted(quotas, [1], 'b'), accepted(quotas, [2, 3], 'c')]).toEqual([
      [0],
      [],
      [2, 3],
    ]);
  });

  test('tells what is left, and when a request is refused, how long to wait', async () => {
    const simulator = await startSimulator({ quotas: [{ requests: 1, windowMs: 60_000 }] });
    onTestFinished(() => simulator.close());
    const call = () =>
      fetch(`${simulator.origin}/openai/deployments/gpt-image-2/images/generations?api-version=${version}`, {
        method: 'POST',
        headers: { 'api-key': simulator.apiKey, 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: 'a cat' }),
      });
    const [first, second] = [await call(), await call()];
    const facts = ({ status, headers }: Response) => [
      status,
      ...['limit', 'remaining'].map((name) => headers.get(`x-ratelimit-${name}-requests`)),
    ];
    expect([facts(first), facts(second)]).toEqual([
      [200, '1', '0'],
      [429, '1', '0'],
    ]);
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(((await second.json()) as { error: { message: string } }).error.message).toMatch(
      /Please retry after \d+ seconds/,
    );
    expect(simulator.ledger.counts().billed).toBe(1);
  });

  test.each([
    ['12/60s', { requests: 12, windowMs: 60_000, isEven: true }],
    ['a,b-2.5=3/1s', { requests: 3, windowMs: 1_000, isEven: true, deployments: ['a', 'b-2.5'] }],
  ])('is given to the program as %s', (text, quota) => {
    expect(parseQuota(text)).toEqual(quota);
  });

  test.each(['12', '0/60s', '12/60', 'a b=1/1s'])('is refused as %s', (text) => {
    expect(() => parseQuota(text)).toThrow('--quota');
  });
});
