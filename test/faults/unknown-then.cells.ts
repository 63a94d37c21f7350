import { expect, test } from 'vitest';
import type { Script } from './fault-server.ts';
import { errorReply } from './http-text.ts';
import { expectReported } from './judge.ts';
import { countsOf } from './ledger.ts';
import { goodResponse } from './modes.ts';
import { observe } from './observe.ts';
import { reset, type Step } from './script.ts';
import { expected } from './table/expected.ts';

const respondsWith = (steps: () => Step[], isBilled: boolean): Script => ({
  welcome: 'serve',
  respond: () => ({ steps: steps(), isBilled }),
});

const lost = respondsWith(() => [reset], true);
const silent: Script = { welcome: 'silence', respond: (request) => goodResponse('A', request) };
const onUnknown = { onUnknownOutcome: 'retry' };

// What may have been billed once stays so, whatever becomes of the call that repeats it.

test.concurrent('time runs out before the repetition is sent: the outcome stays unknown', async ({
  onTestFinished,
}) => {
  const options = { modelKeys: onUnknown, upstreamTimes: { connectMs: 5_000 } };
  const targets = [{ script: lost }, { script: silent }];
  const observed = await observe(
    { mode: 'A', client: 'sdk', timeoutMs: 1_500, targets },
    { ...options, onFinished: onTestFinished },
  );
  expect(countsOf(observed).ends).toEqual({ unknown: 1, 'not-processed': 1 });
  expectReported(observed.response, expected.late, 'A');
});

test.concurrent('the repetition is refused for its rate: the outcome stays unknown', async ({ onTestFinished }) => {
  const limited = respondsWith(() => errorReply(429, { code: '429' }, { 'retry-after': '3600' }), false);
  const options = { modelKeys: { ...onUnknown, maxRetries: 1 }, onFinished: onTestFinished };
  const targets = [{ script: lost }, { script: limited }];
  const observed = await observe({ mode: 'A', client: 'sdk', timeoutMs: 8_000, targets }, options);
  expect(observed.upstreams.map(({ received }) => received)).toEqual([1, 1]);
  expectReported(observed.response, expected.unknown, 'A');
});
