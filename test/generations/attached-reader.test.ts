import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { GenerationReader } from '../../src/domain/generation-reader.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { Caller } from '../../src/generations/caller.ts';
import { drawn, type FakeGateway, fakeGateway, held, openJobs } from './fake-targets.ts';

const soon = { timeout: 10_000 };
const whole = ['image', 'bytes', 'image-end', 'done'];

/** A call that has been sent, and whose image comes when the test says so. */
async function heldCall({ lingerMs = 10_000, caller = {} as Partial<Caller> } = {}) {
  const { answer, complete } = held(drawn);
  const fake = await fakeGateway([{ answers: [answer] }], { times: { lingerMs } });
  const reader = await fake.start({}, caller);
  await expect.poll(() => fake.calls.length, soon).toBe(1);
  return { fake, reader, complete };
}

const keyed = { idempotencyKey: 'one' };

/** A generation with two readers, whose image has come. */
async function twoReaders() {
  const { fake, reader, complete } = await heldCall({ caller: keyed });
  const other = await fake.start({}, keyed);
  complete();
  return { fake, reader, other, events: await reader.events, others: await other.events };
}

async function typesOf(events: AsyncIterable<ImageEvent>): Promise<ImageEvent['type'][]> {
  const types = (await Array.fromAsync(events)).map(({ type }) => type);
  // Images are cut anywhere.
  return types.filter((type, index) => type !== 'bytes' || types[index - 1] !== 'bytes');
}

async function readAll(reader: GenerationReader): Promise<ImageEvent['type'][]> {
  const types = await typesOf(await reader.events);
  reader.settle('delivered');
  return types;
}

/** It ends once, and nothing is held or kept open. */
async function expectEnd({ gateway, inFlight, targets, records, images }: FakeGateway, outcome: string): Promise<void> {
  await expect.poll(() => records.map((record) => record.outcome), soon).toEqual([outcome]);
  expect([gateway.inFlight, gateway.orphans, targets[0]?.health.permits.taken]).toEqual([0, 0, 0]);
  await expect.poll(() => inFlight.find(records[0]?.report.id ?? ''), soon).toBeUndefined();
  await expect.poll(() => images.openFiles.size, soon).toBe(0);
}

describe('two readers of a generation', () => {
  test('both get all of it, and it is paid for once', async () => {
    const { fake, reader, other } = await twoReaders();
    expect(await Promise.all([readAll(reader), readAll(other)])).toEqual([whole, whole]);
    await expectEnd(fake, 'delivered');
    expect([fake.calls.length, fake.retries]).toEqual([1, ['joined']]);
    expect([reader.report.keyedAs, other.report.keyedAs]).toEqual(['first', 'joined']);
  });

  test('of which one leaves before its images come: it learns that, and the other one gets all of it', async () => {
    const { fake, reader, complete } = await heldCall({ caller: keyed });
    const other = await fake.start({}, keyed);
    reader.leave();
    await expect(reader.events).rejects.toMatchObject({ kind: 'client_gone' });
    complete();
    expect(await readAll(other)).toEqual(whole);
    await expectEnd(fake, 'delivered');
  });

  test('of which one leaves before it reads: the other one gets all of it', async () => {
    const { fake, reader, other, events } = await twoReaders();
    const reading = typesOf(events);
    other.leave();
    expect(await reading).toEqual(whole);
    reader.settle('delivered');
    await expectEnd(fake, 'delivered');
  });

  test('of which one breaks off and the other one leaves before it reads: what was paid for is stored', async () => {
    const { fake, reader, other, events } = await twoReaders();
    const reading = events[Symbol.asyncIterator]();
    reader.leave();
    await reading.return?.();
    reader.settle('abandoned');
    other.leave();
    await expectEnd(fake, 'delivered');
    expect(fake.images.images.size).toBe(1);
  });

  test('of which one is truncated: it is delivered all the same, without an error', async () => {
    const { fake, reader, other, events, others } = await twoReaders();
    await Promise.all([typesOf(events), typesOf(others)]);
    reader.settle('delivered');
    other.settle('truncated', new GatewayError('upstream_timeout', 'late', { outcome: 'unknown' }));
    await expectEnd(fake, 'delivered');
    expect(fake.records[0]?.error).toBeUndefined();
    expect(fake.gateway.mayRejoin('somebody')).toBe(false);
  });

  test('of which one has less time: it is told that its request goes on, and the other one gets all of it', async () => {
    const { fake, reader, complete } = await heldCall({ caller: keyed });
    const other = await fake.start({}, { ...keyed, timeoutMs: 20 });
    await expect(other.events).rejects.toMatchObject({ kind: 'idempotency_in_flight', retryAfterMs: 2_000 });
    complete();
    expect(await readAll(reader)).toEqual(whole);
    await expectEnd(fake, 'delivered');
  });
});

test('a hundred readers with one key share one paid call', async () => {
  const { fake, reader, complete } = await heldCall({ caller: keyed });
  const others = await Promise.all(Array.from({ length: 99 }, () => fake.start({}, keyed)));
  complete();
  expect(await Promise.all([reader, ...others].map(readAll))).toEqual(Array(100).fill(whole));
  await expectEnd(fake, 'delivered');
  expect([fake.calls.length, fake.retries.length]).toEqual([1, 99]);
});

test('a client that stalls is no error of the generation', async () => {
  const { fake, reader, complete } = await heldCall();
  complete();
  await typesOf(await reader.events);
  reader.settle('abandoned', new Error('stalled'));
  await expectEnd(fake, 'abandoned');
  expect(fake.records[0]?.error).toBeUndefined();
});

test('a client that stalls although its images are kept has left them: they are stored without it', async () => {
  const { answer, complete } = held(drawn);
  const fake = await fakeGateway([{ answers: [drawn, answer], maxCount: 1, family: 'gpt-image-2' }]);
  const reader = await fake.start({ stream: true, count: 2 }, keyed);
  const reading = (await reader.events)[Symbol.asyncIterator]();
  await reading.next();
  reader.settle('abandoned');
  expect(fake.gateway.orphans).toBe(1);
  complete();
  await expectEnd(fake, 'delivered');
  expect(fake.images.images.size).toBe(2);
});

test('a client that disconnects amid images that pass to it ends them, and nobody can have the rest', async () => {
  const fake = await fakeGateway([{ answers: [drawn] }], { times: { lingerMs: 10_000 } });
  const reader = await fake.start();
  const reading = (await reader.events)[Symbol.asyncIterator]();
  await reading.next();
  reader.leave();
  expect(reader.signal.reason).toMatchObject({ kind: 'client_gone' });
  await reading.return?.();
  reader.settle('abandoned');
  await expectEnd(fake, 'abandoned');
  expect(await readAll(await fake.start({}, { isRetry: true }))).toEqual(whole);
  expect([fake.calls.length, fake.retries]).toEqual([2, ['possible_duplicate']]);
});

describe('a generation that its client has left', () => {
  test('is rejoined, left again, and rejoined again', async () => {
    const { fake, reader, complete } = await heldCall();
    reader.leave();
    await expect(reader.events).rejects.toMatchObject({ kind: 'client_gone' });
    const second = await fake.start();
    expect(fake.gateway.orphans).toBe(0);
    second.leave();
    expect(fake.gateway.orphans).toBe(1);
    // The response of the first one may end at any time.
    reader.settle('abandoned');
    const third = await fake.start();
    complete();
    expect(await readAll(third)).toEqual(whole);
    await expectEnd(fake, 'delivered');
    expect(fake.calls).toHaveLength(1);
  });

  test('is rejoined by one equal request, and not by two', async () => {
    const { fake, reader, complete } = await heldCall();
    reader.leave();
    const [second, third] = [await fake.start(), await fake.start()];
    complete();
    expect(await Promise.all([readAll(second), readAll(third)])).toEqual([whole, whole]);
    expect(fake.calls).toHaveLength(2);
  });

  test('is not read by that client any more, although its images have come', async () => {
    const { fake, reader, complete } = await heldCall();
    complete();
    const events = await reader.events;
    reader.leave();
    await expect(typesOf(events)).rejects.toMatchObject({ kind: 'client_gone' });
    expect(await readAll(await fake.start())).toEqual(whole);
    await expectEnd(fake, 'delivered');
  });

  test('without DATA_DIR ends when nobody rejoins it while it runs', async () => {
    const { fake, reader } = await heldCall({ lingerMs: 30 });
    reader.leave();
    await expectEnd(fake, 'abandoned');
  });

  test('with DATA_DIR goes on into the store, and its client’s retry gets it there, once', async () => {
    const store = await openJobs();
    const { answer, complete } = held(drawn);
    const fake = await fakeGateway([{ answers: [answer, drawn] }], { store, times: { lingerMs: 0 } });
    const reader = await fake.start();
    await expect.poll(() => fake.calls.length, soon).toBe(1);
    reader.leave();
    complete();
    await expectEnd(fake, 'delivered');
    expect(await readAll(await fake.start({}, { isRetry: true }))).toEqual(whole);
    expect([fake.calls.length, fake.retries]).toEqual([1, ['rejoined']]);
    await readAll(await fake.start({}, { isRetry: true }));
    expect(fake.calls).toHaveLength(2);
    expect([...fake.images.evictable.keys()]).toEqual([...fake.images.images.keys()].slice(0, 1));
  });
});
