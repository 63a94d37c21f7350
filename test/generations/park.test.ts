import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { JobStore } from '../../src/domain/job-store.ts';
import type { Caller } from '../../src/generations/caller.ts';
import { imagesOf, keyed, patience, withSteps } from './crash.ts';
import {
  type Answer,
  accepting,
  drawn,
  type FakeGateway,
  fakeGateway,
  held,
  openJobs,
  silent,
} from './fake-targets.ts';

const accepted = accepting('/operations/1', silent);
const inFlightError = { kind: 'idempotency_in_flight', retryAfterMs: 2_000 };
const followable = { answers: [accepted], resumes: [drawn] };

/** A request whose work was accepted. */
async function startAccepted(caller: Partial<Caller> = keyed, store?: JobStore) {
  const model = { timeoutMs: 60_000 };
  const fake = await fakeGateway([followable], { store: store ?? (await openJobs()), model });
  const reader = await fake.start({}, caller);
  await isAccepted(fake, reader.report.id);
  return { fake, reader };
}

/** Its handle has come so far that it can be followed. */
async function isAccepted(fake: FakeGateway, id: string): Promise<void> {
  await expect.poll(() => fake.inFlight.find(id)?.isParkable, patience).toBe(true);
}

function expectNothingHeld({ gateway, targets }: FakeGateway): void {
  const held = [gateway.inFlight, gateway.admission.heldBytes, targets[0]?.health.permits.taken];
  expect(held).toEqual([0, 0, 0]);
}

describe('accepted work', () => {
  test('is given up at a shutdown, and goes on in the next process', async () => {
    const { fake, reader } = await startAccepted();
    fake.gateway.cancelAll();
    await expect(reader.events).rejects.toMatchObject(inFlightError);
    await fake.inFlight.recorded();
    expectNothingHeld(fake);
    // It has not ended, and is counted where it ends.
    expect([fake.ends, fake.records.map(({ outcome }) => outcome)]).toEqual([[], [undefined]]);
    const next = await fakeGateway([followable], { store: fake.store, images: fake.images });
    await next.recover();
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect([next.calls, next.ends]).toEqual([[], ['delivered']]);
  });

  test('with a key is given up at its deadline, and is followed by the same process', async () => {
    const { fake, reader } = await startAccepted({ ...keyed, timeoutMs: 300 });
    await expect(reader.events).rejects.toMatchObject(inFlightError);
    await fake.recover();
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
    expect([fake.calls.length, fake.resumed]).toEqual([1, ['a /operations/1']]);
  });

  test('without a key ends at its deadline, and its client’s retry learns that', async () => {
    const { fake, reader } = await startAccepted({ timeoutMs: 300 });
    await expect(reader.events).rejects.toMatchObject({ kind: 'upstream_timeout', outcome: 'unknown' });
    const retry = await fake.start({}, { isRetry: true });
    await expect(retry.events).rejects.toMatchObject({ kind: 'upstream_timeout' });
    expect(fake.calls).toHaveLength(1);
  });

  test('without a client is given up as soon as the process is to stop, or when it loses its client then', async () => {
    const store = await openJobs();
    const fake = await fakeGateway([followable], { store });
    const readers = await Promise.all(['one', 'two', 'three'].map((key) => fake.start({}, { idempotencyKey: key })));
    const [left, leaving, staying] = readers;
    for (const { report } of readers) await isAccepted(fake, report.id);
    left?.leave();
    fake.gateway.parkOrphans();
    expect(fake.gateway.inFlight).toBe(2);
    leaving?.leave();
    expect(fake.gateway.inFlight).toBe(1);
    expect(staying?.signal.aborted).toBe(false);
    fake.gateway.cancelAll();
    await fake.inFlight.recorded();
    expect((await store.takeOver()).map(({ attempts }) => attempts)).toMatchObject(
      Array(3).fill([{ handle: '/operations/1', state: 'dispatched' }]),
    );
  });

  test('is given up again and again until the store takes that', async () => {
    const jobs = await openJobs();
    let failures = 1;
    const store = withSteps(jobs, {
      async release(lease) {
        if (failures-- > 0) throw new GatewayError('store_unavailable', 'away', { outcome: 'not-processed' });
        await jobs.release(lease);
      },
    });
    const { fake, reader } = await startAccepted({ ...keyed, timeoutMs: 300 }, store);
    await expect(reader.events).rejects.toMatchObject(inFlightError);
    await fake.recover();
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
    expect(fake.calls).toHaveLength(1);
  });
});

describe('a shutdown', () => {
  test.each([
    ['has no handle', [{ answers: [silent], resumes: [drawn] }]],
    ['cannot be followed at its target', [{ answers: [accepted] }]],
  ])('makes a call unknown that %s', async (_, targets) => {
    const fake = await fakeGateway(targets, { store: await openJobs() });
    const reader = await fake.start({}, keyed);
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    fake.gateway.cancelAll();
    await expect(reader.events).rejects.toMatchObject({ kind: 'upstream_outcome_unknown', outcome: 'unknown' });
    await fake.inFlight.recorded();
    expect(await fake.store.read(reader.report.id)).toMatchObject({ name: 'unknown' });
    expectNothingHeld(fake);
  });

  test('leaves nothing to others where jobs end with the process', async () => {
    const fake = await fakeGateway([followable]);
    const reader = await fake.start({}, keyed);
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    fake.gateway.cancelAll();
    await expect(reader.events).rejects.toMatchObject({ kind: 'upstream_outcome_unknown' });
  });

  test('is told to clients that wait for the job of another process', async () => {
    const { fake } = await startAccepted();
    const other = await fakeGateway([followable], { store: fake.store, model: { timeoutMs: 600_000 } });
    const waiting = await other.start({}, keyed);
    expect(waiting.report.keyedAs).toBe('joined');
    other.gateway.cancelAll();
    await expect(waiting.events).rejects.toMatchObject(inFlightError);
  });
});

describe('a request of several calls', () => {
  const request = { count: 2 };
  /** One permit: the second call waits for the first one. */
  const single = { maxCount: 1, maxConcurrent: 1, resumes: [drawn] };

  test('of which one was not sent is not given up without need: it goes on', async () => {
    const { answer, complete } = held(drawn);
    const targets = [{ answers: [accepting('/operations/1', answer), drawn], ...single }];
    const fake = await fakeGateway(targets, { store: await openJobs() });
    const reader = await fake.start(request, keyed);
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    reader.leave();
    fake.gateway.parkOrphans();
    expect(fake.gateway.inFlight).toBe(1);
    complete();
    await fake.gateway.settled();
    expect(await imagesOf(await fake.start(request, keyed))).toHaveLength(2);
    expect(fake.calls).toHaveLength(2);
  });

  test('of which a part may be delivered is given up with what was sent, and sends nothing more', async () => {
    const store = await openJobs();
    const model = { partialSuccess: 'deliver' } as const;
    const fake = await fakeGateway([{ answers: [accepted], ...single }], { store, model });
    const reader = await fake.start(request, keyed);
    await isAccepted(fake, reader.report.id);
    fake.gateway.cancelAll();
    await expect(reader.events).rejects.toMatchObject(inFlightError);
    await fake.inFlight.recorded();
    expect([fake.calls.length, fake.targets[0]?.health.permits.taken]).toEqual([1, 0]);
    const next = await fakeGateway([{ answers: [drawn], ...single }], { store, images: fake.images, model });
    await next.recover();
    expect(await imagesOf(await next.start(request, keyed))).toEqual(['a cat 0']);
    expect(next.calls).toEqual([]);
  });

  test('that is given up while one of them is dispatched does not send that one', async () => {
    const jobs = await openJobs();
    const hold = Promise.withResolvers<void>();
    let dispatches = 0;
    const store = withSteps(jobs, {
      async dispatch(...values) {
        dispatches += 1;
        const isSecond = dispatches === 2;
        await jobs.dispatch(...values);
        if (isSecond) await hold.promise;
      },
    });
    const answer: Answer = accepted;
    const model = { partialSuccess: 'deliver' } as const;
    const fake = await fakeGateway([{ answers: [answer], maxCount: 1, resumes: [drawn] }], { store, model });
    const reader = await fake.start(request, keyed);
    await expect.poll(() => dispatches, patience).toBe(2);
    await isAccepted(fake, reader.report.id);
    fake.gateway.cancelAll();
    hold.resolve();
    await expect(reader.events).rejects.toMatchObject(inFlightError);
    await fake.inFlight.recorded();
    expect(fake.calls).toHaveLength(1);
  });
});
