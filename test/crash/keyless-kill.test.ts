import { expect, test } from 'vitest';
import { ask, codeOf } from './matrix/keyed-client.ts';
import { bringTo, expectedAfter, type KillPoint } from './matrix/kill-points.ts';
import { callOf, hasHandle, heldAfterSending, legsOf, type WaitingMode, waitingModes } from './matrix/modes.ts';
import { type Stage, send } from './matrix/stage.ts';
import { useBundle } from './matrix/use-bundle.ts';

const { startStage } = useBundle();

/** A kill, and what the retry of an SDK gets then. */
async function retryAfter(stage: Stage, mode: WaitingMode, prompt: string) {
  const next = await stage.startGateway();
  const reply = await send(next, mode, prompt, undefined).reply;
  await next.kill();
  return { status: reply.status, code: codeOf(reply), billed: stage.billed(prompt) };
}

function right(status: number, billed: number) {
  return { status, code: status === 502 ? 'upstream_outcome_unknown' : undefined, billed };
}

test.concurrent.each(waitingModes)(
  '%s: after a kill, the retry of a client without a key gets the result or 502, and buys nothing',
  async (mode) => {
    await using stage = await startStage();
    const { relay } = stage;
    const noted: KillPoint = hasHandle(mode) ? 'handle recorded' : 'sent';
    for (const point of ['dispatched, not sent', 'response headers', noted] as const) {
      const prompt = `a cat, ${point}`;
      const gateway = await stage.startGateway();
      await bringTo(point, { gateway, relay, mode }, () => ask(gateway.url, callOf(mode, prompt), {}));
      await gateway.kill();
      relay.release();
      const { status = 0, billed = 0 } = expectedAfter(mode, point) ?? {};
      expect([point, await retryAfter(stage, mode, prompt)]).toEqual([point, right(status, billed)]);
    }
  },
);

test.concurrent.each(waitingModes)(
  '%s: what a client without a key has left is stored, and its retry gets it after a kill',
  async (mode) => {
    await using stage = await startStage();
    const { relay } = stage;
    const gateway = await stage.startGateway();
    await gateway.stopAt('orphaned');
    relay.hold(heldAfterSending);
    const asking = ask(gateway.url, callOf(mode, 'a cat'), {});
    await relay.holds(legsOf(mode));
    asking.leave();
    await gateway.reached('orphaned');
    await gateway.stopAt('renamed');
    relay.release();
    await gateway.reached('renamed');
    await gateway.kill();
    expect(await retryAfter(stage, mode, 'a cat')).toEqual(right(200, legsOf(mode)));
  },
);
