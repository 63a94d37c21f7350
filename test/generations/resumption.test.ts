import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { JobEnd } from '../../src/domain/job-store.ts';
import { InFlight } from '../../src/generations/in-flight.ts';
import { Recovery } from '../../src/generations/recovery.ts';
import { createModelCatalog } from '../../src/targets/model-catalog.ts';
import { providerCall } from '../helpers/provider-call.ts';
import { imagesOf, keyed, leaveAccepted, patience, restartIn, withSteps } from './crash.ts';
import { type Answer, drawn, eventsOf, openJobs, silent, unreachable, withJobs } from './fake-targets.ts';

/** The upstream cannot be asked. */
const away: Answer = unreachable;

/** A body that breaks off, in the words of a failure that says nothing about the image. */
const breaking: Answer = async () =>
  (async function* (): AsyncGenerator<ImageEvent> {
    yield* eventsOf(1).slice(0, 2);
    throw new GatewayError('upstream_unavailable', 'cut', { outcome: 'not-processed' });
  })();

describe('accepted work that is followed', () => {
  test('is asked for again when its upstream cannot be reached, and is not bought again', async () => {
    const next = await restartIn(await leaveAccepted(), [{ answers: [drawn], resumes: [away, drawn] }]);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect([next.calls, next.resumed]).toEqual([[], Array(2).fill('a /operations/1')]);
    // It was one call, however often it was asked for.
    expect(next.ends).toEqual(['delivered']);
  });

  test('is left to the next process at a shutdown, also while its upstream cannot be reached', async () => {
    for (const answer of [away, silent]) {
      const left = await leaveAccepted();
      const second = await restartIn(left, [{ answers: [drawn], resumes: [answer] }]);
      await expect.poll(() => second.resumed.length, patience).toBe(1);
      const reader = await second.start({}, keyed);
      await new Promise(setImmediate);
      second.gateway.cancelAll();
      await expect(reader.events).rejects.toMatchObject({ kind: 'idempotency_in_flight' });
      await second.inFlight.recorded();
      expect(second.inFlight.find(reader.report.id)).toBeUndefined();
      await second.store.close();
      const third = await restartIn(left, [{ answers: [drawn], resumes: [drawn] }]);
      expect(await imagesOf(await third.start({}, keyed))).toEqual(['a cat 0']);
      expect([third.recovered, second.calls, third.calls]).toEqual([['resumed'], [], []]);
    }
  });

  test('goes on when the only client that waits for it leaves, also while its upstream cannot be reached', async () => {
    const next = await restartIn(await leaveAccepted(), [{ answers: [drawn], resumes: [away, drawn] }]);
    await expect.poll(() => next.resumed.length, patience).toBe(1);
    const reader = await next.start({}, keyed);
    await new Promise(setImmediate);
    reader.leave();
    expect(next.gateway.orphans).toBe(1);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect(next.calls).toEqual([]);
  });

  test('is unknown when its body breaks off, whatever the failure says of itself', async () => {
    const next = await restartIn(await leaveAccepted(), [{ answers: [drawn], resumes: [breaking] }]);
    await expect.poll(() => next.records.length, patience).toBe(1);
    const reader = await next.start({}, keyed);
    await expect(reader.events).rejects.toMatchObject({ kind: 'upstream_outcome_unknown', outcome: 'unknown' });
    expect(reader.report.keyedAs).toBe('replayed');
    expect([next.ends, next.calls]).toEqual([['truncated'], []]);
  });

  test('of a client without a key is had by that client’s own retry, once', async () => {
    const next = await restartIn(await leaveAccepted({}), [{ answers: [drawn], resumes: [drawn] }]);
    expect(await imagesOf(await next.start({}, { isRetry: true }))).toEqual(['a cat 0']);
    expect([next.calls, next.retries]).toEqual([[], ['rejoined']]);
    await imagesOf(await next.start({}, { isRetry: true }));
    expect(next.calls).toHaveLength(1);
  });
});

describe('a recovery', () => {
  test('looks at a job again whose images could not be looked at', async () => {
    const left = await leaveAccepted();
    left.images.disk.failsToOpen = true;
    const next = await restartIn(left, [{ answers: [drawn], resumes: [drawn] }]);
    expect([next.recovered, next.resumed]).toEqual([[], []]);
    left.images.disk.failsToOpen = false;
    await expect.poll(() => next.recovered, patience).toEqual(['resumed']);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect(next.calls).toEqual([]);
  });

  test('records an end again that could not be recorded', async () => {
    const left = await leaveAccepted();
    const jobs = await openJobs(left.directory);
    let failures = 1;
    const store = withSteps(jobs, {
      async finish(lease, end: JobEnd) {
        if (failures-- > 0) throw new GatewayError('store_unavailable', 'away', { outcome: 'not-processed' });
        await jobs.finish(lease, end);
      },
    });
    const next = await restartIn(left, [{ answers: [drawn] }], { store });
    const reader = await next.start({}, keyed);
    await expect(reader.events).rejects.toMatchObject({ outcome: 'unknown' });
    expect([reader.report.keyedAs, next.calls]).toEqual(['joined', []]);
  });

  test('that is stopped while it looks does not go on', async () => {
    const left = await leaveAccepted();
    const jobs = await openJobs(left.directory);
    const hold = Promise.withResolvers<void>();
    const store = withSteps(jobs, {
      async takeOver() {
        const taken = await jobs.takeOver();
        await hold.promise;
        return taken;
      },
    });
    const inFlight = new InFlight(store, { lingerMs: 0 });
    const catalog = createModelCatalog({ models: [], aliases: new Map(), defaultModel: undefined });
    const { recorder } = providerCall();
    const gateway = { catalog, restartJob() {} };
    const running = withJobs({ inFlight, images: left.images });
    const recovery = new Recovery({ ...running, recorder, gateway: () => gateway });
    const starting = recovery.start();
    await new Promise(setImmediate);
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    recovery.stop();
    inFlight.cancelAll();
    hold.resolve();
    await starting;
    expect([vi.getTimerCount(), inFlight.running]).toEqual([0, 0]);
    vi.useRealTimers();
    // It is given up at once, for whoever takes it over next.
    const next = await restartIn(left, [{ answers: [drawn], resumes: [drawn] }]);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
  });
});
