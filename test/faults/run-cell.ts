import { expect } from 'vitest';
import { addressOf, heal, scriptOf } from './fault-script.ts';
import { expectTold } from './judge.ts';
import { expectJobs, expectLedger } from './ledger.ts';
import type { Cell, Client } from './matrix.ts';
import { legsOf, type Mode } from './modes.ts';
import { type Observed, observe } from './observe.ts';
import { ask, atRest, type OnFinished, restOf } from './rig.ts';
import type { Expected } from './table/expected.ts';
import { type Fault, timeoutIn, toldIn } from './table/fault.ts';

export const defaultTimeoutMs = 12_000;

/** Plays one cell, and asserts what holds for every one of them. */
export async function runCell({ fault, mode, client }: Cell, onFinished: OnFinished): Promise<void> {
  const told = allCalls(toldIn(fault, mode), client);
  const { isSecure = true, modelKeys, upstreamTimes } = fault;
  const timeoutMs = timeoutIn(fault, mode) ?? defaultTimeoutMs;
  const tokens = fault.tokens?.();
  const target = { script: scriptOf(fault, mode), isSecure, address: addressOf(fault) };
  const options = {
    ...(modelKeys && { modelKeys }),
    ...(upstreamTimes && { upstreamTimes }),
    ...(tokens && { entra: tokens.entra }),
    onFinished,
  };
  const observed = await observe({ mode, client, timeoutMs, targets: [target] }, options);
  expectTold(observed.answer, told, mode);
  expectLedger(observed, told, mode);
  expectOrder(observed, timeoutMs, told.sdkCalls);
  if (legsOf(mode) === 1) expectPatience(observed, told);
  await expectJobs(observed, told);
  tokens?.heal();
  await expectNextWorks(observed, mode, needsSpare(fault, told) ? 'spare' : 'image');
}

/** What all calls of a client come to, where it may repeat them. */
function allCalls(told: Expected, client: Client): Expected {
  const { sdkCalls = 1, attempts, received, accepted, ...rest } = told;
  const calls = client === 'sdk' ? sdkCalls : 1;
  return {
    ...rest,
    sdkCalls: calls,
    attempts: calls * attempts,
    received: calls * received,
    accepted: calls * accepted,
  };
}

/** One call in time, nothing left behind, and nothing told to those whom it does not concern. */
export function expectOrder({ rest, metrics, leaks, elapsedMs }: Observed, timeoutMs: number, calls = 1): void {
  expect(rest).toEqual(atRest);
  expect(metrics.calls).toBe(calls);
  expect(leaks).toEqual([]);
  // A second for the gateway, and one for a busy machine; between its calls, a client waits for up to two.
  expect(elapsedMs).toBeLessThan(calls * (timeoutMs + 2_000) + (calls - 1) * 2_000);
}

/** What the upstream asked for was waited for, each time. */
function expectPatience({ elapsedMs }: Observed, { attempts, retryAfterMs = 0 }: Expected): void {
  expect(elapsedMs).toBeGreaterThan((attempts - 1) * retryAfterMs - 1);
}

/** Once the upstream is in order again, the gateway is, too; and it gives the image that was asked for. */
export async function expectNextWorks(observed: Observed, mode: Mode, model = 'image'): Promise<void> {
  const { gateway, upstreams } = observed;
  heal(upstreams, mode);
  const answer = await ask('raw', gateway.url, {
    mode,
    model,
    prompt: 'a next prompt-canary',
    timeoutMs: defaultTimeoutMs,
  });
  expectTold(answer, { status: 200, image: 'whole', end: 'delivered', attempts: 1, received: 1, accepted: 1 }, mode);
  expect(await restOf(gateway, upstreams)).toEqual(atRest);
}

/** Where the address itself is wrong, and where the target asked for an hour. */
const needsSpare = ({ address }: Fault, { retryAfterMs = 0 }: Expected): boolean =>
  address !== undefined || retryAfterMs > 60_000;
