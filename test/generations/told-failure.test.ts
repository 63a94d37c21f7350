import { expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import {
  type Answer,
  type FakeGateway,
  failed,
  failing,
  fakeGateway,
  limited,
  refused,
  unauthorized,
  unknown,
  unreachable,
} from './fake-targets.ts';

const retrying = { onUnknownOutcome: 'retry', maxRetries: 5 } as const;
const overloaded: Answer = () => Promise.reject(new GatewayError('overloaded', 'There is too much to do.'));

/** What a caller is told when nothing has helped. */
async function told(answers: readonly Answer[]): Promise<unknown> {
  const fake = await fakeGateway([{ answers }], { model: { ...retrying, maxRetries: answers.length - 1 } });
  return (await fake.start()).events.catch((error: unknown) => error);
}

test.each([
  ['that fails', failed],
  ['that reaches nobody', unreachable],
  ['that is of no use', unauthorized],
  ['that finds no place', overloaded],
])('a call that may be billed is told of, although it was repeated by one %s', async (_, later) => {
  expect(await told([unknown, later])).toMatchObject({ kind: 'upstream_outcome_unknown', outcome: 'unknown' });
});

test('a call that is repeated by one whose content is refused is told as refused', async () => {
  expect(await told([unknown, refused])).toMatchObject({ kind: 'content_policy_violation' });
});

test('a mistake of ours is told as one, whatever was before it', async () => {
  const mistake = new TypeError('ours');
  expect(await told([unknown, () => Promise.reject(mistake)])).toBe(mistake);
});

test('targets that are of no use one after the other end the request with the last failure', async () => {
  const last = failing('upstream_misconfigured', 'not-processed');
  const fake = await fakeGateway([{ answers: [unauthorized] }, { answers: [last] }], { model: retrying });
  await expect((await fake.start()).events).rejects.toMatchObject({ kind: 'upstream_misconfigured' });
  expect(fake.calls.map(({ target }) => target)).toEqual(['a', 'b']);
});

test('a wait of a day is told as it is to whoever was refused, and of five minutes at most to the next ones', async () => {
  const day = 86_400_000;
  const fake = await fakeGateway([{ answers: [limited(day)] }], { model: { maxRetries: 1 } });
  const [first, next] = [await failureOf(fake, 'first'), await failureOf(fake, 'next')];
  expect(Math.abs((first.retryAfterMs ?? 0) - day)).toBeLessThan(60_000);
  expect(next.retryAfterMs).toBeLessThanOrEqual(300_000);
  expect(fake.calls).toHaveLength(1);
});

async function failureOf(fake: FakeGateway, prompt: string): Promise<GatewayError> {
  return (await fake.start({ prompt })).events.then(
    () => expect.unreachable(),
    (error) => error,
  );
}
