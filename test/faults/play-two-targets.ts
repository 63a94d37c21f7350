import { describe, expect, type onTestFinished, test } from 'vitest';
import { addressOf, healthy, scriptOf } from './fault-script.ts';
import { expectReported } from './judge.ts';
import { countsOf, expectNothingForgotten } from './ledger.ts';
import type { Mode } from './modes.ts';
import { type Observed, observe } from './observe.ts';
import { defaultTimeoutMs, expectNextWorks, expectOrder } from './run-cell.ts';
import { type Expected, expected } from './table/expected.ts';
import { type Fault, isIn, reportedIn, timeoutIn } from './table/fault.ts';

const repeating = { onUnknownOutcome: 'retry' };

type Cell = { readonly fault: Fault; readonly mode: Mode; readonly repeatsUnknown: boolean };

/** The fault at the first target only. */
async function observeTwo({ fault, mode, repeatsUnknown }: Cell, onFinished: typeof onTestFinished): Promise<Observed> {
  const timeoutMs = timeoutIn(fault, mode) ?? defaultTimeoutMs;
  const tokens = fault.tokens?.();
  const first = { script: scriptOf(fault, mode), isSecure: fault.isSecure ?? true, address: addressOf(fault) };
  const options = {
    ...(repeatsUnknown && { modelKeys: repeating }),
    ...(tokens && { entra: tokens.entra }),
    onFinished,
  };
  const targets = [first, { script: healthy(mode) }];
  const observed = await observe({ mode, client: 'raw', timeoutMs, targets }, options);
  expectOrder(observed, timeoutMs);
  expectNothingForgotten(countsOf(observed));
  return observed;
}

/** The second target makes the image, after one call of the first one; a second one shows it another token. */
function expectSecond(observed: Observed, { tokens }: Fault, reported: Expected, mode: Mode): void {
  const calls = tokens === undefined ? 1 : reported.attempts;
  expectReported(observed.response, expected.done, mode);
  const [first, second] = observed.upstreams.map(({ received, accepted }) => ({ received, accepted }));
  expect(first).toEqual({ received: Math.min(calls, reported.received), accepted: Math.min(1, reported.accepted) });
  expect(second).toEqual({ received: 1, accepted: 1 });
  expect(observed.metrics.ends).toEqual({ [reported.end]: calls, delivered: 1 });
}

function expectFirstOnly(observed: Observed, reported: Expected, mode: Mode): void {
  expectReported(observed.response, reported, mode);
  expect(observed.upstreams.map(({ received }) => received)).toEqual([reported.received, 0]);
  expect(observed.upstreams.map(({ dials }) => dials)[1]).toBe(0);
  expect(observed.metrics.ends).toEqual(reported.ends ?? { [reported.end]: reported.attempts });
}

/** Nothing was made, and the next target may make it; what one target does not repeat, another one does not either. */
const isPassedOn = ({ end, attempts }: Expected): boolean =>
  end === 'not-processed' || (end === 'failed' && attempts > 1);

/** Where time has run out there is none left to retry in. */
const isRepeated = (fault: Fault, mode: Mode): boolean =>
  reportedIn(fault, mode).end === 'unknown' && timeoutIn(fault, mode) === undefined;

/** These faults at the first of two targets. */
export function playFirstFails(modes: readonly Mode[], some: readonly Fault[]): void {
  describe.concurrent.each(modes)('two targets, the fault at the first one, mode %s', (mode) => {
    for (const fault of some.filter((one) => isIn(one, mode))) {
      const reported = reportedIn(fault, mode);
      const name = isPassedOn(reported) ? 'the second one makes the image' : 'the second one is left alone';
      test(`${fault.number} ${fault.name}: ${name}`, async ({ onTestFinished }) => {
        const observed = await observeTwo({ fault, mode, repeatsUnknown: false }, onTestFinished);
        if (isPassedOn(reported)) expectSecond(observed, fault, reported, mode);
        else expectFirstOnly(observed, reported, mode);
        await expectNextWorks(observed, mode);
      });
    }
  });
}

/** Those of them that leave unknown whether anything was billed, where that may be made again. */
export function playRepeated(modes: readonly Mode[], some: readonly Fault[]): void {
  describe.concurrent.each(modes)('unknown outcomes may be repeated, mode %s', (mode) => {
    for (const fault of some.filter((one) => isIn(one, mode) && isRepeated(one, mode))) {
      const reported = reportedIn(fault, mode);
      test(`${fault.number} ${fault.name}: the second target makes the image`, async ({ onTestFinished }) => {
        expectSecond(await observeTwo({ fault, mode, repeatsUnknown: true }, onTestFinished), fault, reported, mode);
      });

      test(`${fault.number} ${fault.name}, always: once more and no further`, async ({ onTestFinished }) => {
        const target = { script: scriptOf(fault, mode), isSecure: fault.isSecure ?? true, address: addressOf(fault) };
        const options = { modelKeys: repeating, onFinished: onTestFinished };
        const observed = await observe(
          { mode, client: 'sdk', timeoutMs: defaultTimeoutMs, targets: [target] },
          options,
        );
        expectReported(observed.response, reported, mode);
        expectOrder(observed, defaultTimeoutMs);
        const { received, accepted } = reported;
        expect(countsOf(observed)).toEqual({ received: 2 * received, accepted: 2 * accepted, ends: { unknown: 2 } });
      });
    }
  });
}
