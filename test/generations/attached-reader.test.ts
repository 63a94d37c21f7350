import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { GenerationReader } from '../../src/domain/generation-reader.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { Generation } from '../../src/generations/generation.ts';
import { type Answer, type FakeGateway, fakeGateway, good, silent } from './fake-targets.ts';

const soon = { timeout: 2_000 };

/** A call that has been sent, and whose images come when the test says so. */
async function heldCall(lingerMs = 1_000) {
  const hold = Promise.withResolvers<void>();
  const answer: Answer = async (call, request) => {
    await Promise.race([hold.promise, silent(call, request)]);
    return good(call, request);
  };
  const fake = fakeGateway([{ answers: [answer] }], { times: { lingerMs } });
  const reader = await fake.start();
  await expect.poll(() => fake.calls.length, soon).toBe(1);
  return { fake, reader, complete: hold.resolve };
}

/** A generation with two readers, whose images have come. */
async function twoReaders() {
  const { fake, reader, complete } = await heldCall();
  const generation = fake.inFlight.find(reader.report.id) as Generation;
  const other = generation.attach();
  complete();
  return { fake, reader, other, events: await reader.events, others: await other.events };
}

async function typesOf(events: AsyncIterable<ImageEvent>): Promise<ImageEvent['type'][]> {
  return (await Array.fromAsync(events)).map(({ type }) => type);
}

async function readAll(reader: GenerationReader): Promise<ImageEvent['type'][]> {
  const types = await typesOf(await reader.events);
  reader.settle('delivered');
  return types;
}

/** It ended once, and nothing is held or kept. */
function expectEnd({ gateway, inFlight, targets, records }: FakeGateway, outcome: string): void {
  expect(records.map((record) => record.outcome)).toEqual([outcome]);
  expect([gateway.inFlight, gateway.orphans, targets[0]?.health.permits.taken]).toEqual([0, 0, 0]);
  expect(inFlight.find(records[0]?.report.id ?? '')).toBeUndefined();
}

describe('two readers of a generation', () => {
  test('both get all of it', async () => {
    const { fake, reader, other } = await twoReaders();
    expect(await Promise.all([readAll(reader), readAll(other)])).toEqual([
      ['url', 'done'],
      ['url', 'done'],
    ]);
    expectEnd(fake, 'delivered');
  });

  test('of which one leaves before it reads: the other one gets all of it, and the first one nothing', async () => {
    const { fake, reader, other, events, others } = await twoReaders();
    const reading = typesOf(events);
    other.leave();
    await expect(typesOf(others)).rejects.toMatchObject({ kind: 'client_gone' });
    expect(await reading).toEqual(['url', 'done']);
    reader.settle('delivered');
    expectEnd(fake, 'delivered');
  });

  test('of which one breaks off and the other one leaves before it reads: the generation ends', async () => {
    const { fake, reader, other, events } = await twoReaders();
    const reading = events[Symbol.asyncIterator]();
    reader.leave();
    await reading.return?.();
    reader.settle('abandoned');
    other.leave();
    expectEnd(fake, 'abandoned');
  });

  test('of which one has all of it before the other one is truncated: it is delivered, without an error', async () => {
    const { fake, reader, other, events, others } = await twoReaders();
    await Promise.all([typesOf(events), typesOf(others)]);
    reader.settle('delivered');
    other.settle('truncated', new GatewayError('upstream_timeout', 'late', { outcome: 'unknown' }));
    expectEnd(fake, 'delivered');
    expect(fake.records[0]?.error).toBeUndefined();
    expect(fake.gateway.mayRejoin('somebody')).toBe(false);
  });
});

test('a client that stalls is no error of the generation', async () => {
  const { fake, reader, complete } = await heldCall();
  complete();
  await typesOf(await reader.events);
  reader.settle('abandoned', new Error('stalled'));
  expectEnd(fake, 'abandoned');
  expect(fake.records[0]?.error).toBeUndefined();
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
    complete();
    expect(await readAll(await fake.start())).toEqual(['url', 'done']);
    expectEnd(fake, 'delivered');
    expect(fake.calls).toHaveLength(1);
  });

  test('is not read by that client any more, although its images have come', async () => {
    const { fake, reader, complete } = await heldCall();
    complete();
    const events = await reader.events;
    reader.leave();
    await expect(typesOf(events)).rejects.toMatchObject({ kind: 'client_gone' });
    expect(await readAll(await fake.start())).toEqual(['url', 'done']);
    expectEnd(fake, 'delivered');
  });

  test.each([true, false])('ends when nobody rejoins it, whether its images have come (%s) or not', async (isReady) => {
    const { fake, reader, complete } = await heldCall(30);
    reader.leave();
    if (isReady) complete();
    await expect.poll(() => fake.records.length, soon).toBe(1);
    expectEnd(fake, 'abandoned');
  });
});
