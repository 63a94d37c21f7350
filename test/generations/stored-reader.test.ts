import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { JobEnd, StoredEvent, StoredReport } from '../../src/domain/job-store.ts';
import { deliver, wantedBy } from '../../src/generations/delivery.ts';
import { failureOf, imageIds, storedFailure } from '../../src/generations/ends.ts';
import { KeepableEvents } from '../../src/generations/keepable-events.ts';
import { KeptImage } from '../../src/generations/kept-image.ts';
import { KeptResponse } from '../../src/generations/kept-response.ts';
import { StoredReader } from '../../src/generations/stored-reader.ts';
import { asStream } from '../helpers/json-text.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { eventsOf } from './fake-targets.ts';

const report: StoredReport = {
  model: 'image',
  target: 'a',
  provider: 'azure-deployment',
  asked: { size: '1x1' },
  adaptations: ['n=fan-out'],
  attempts: 2,
  sent: true,
  maxRetries: 1,
  timeoutMs: 1_000,
};
const request = { stream: false, partialImages: 0, count: 2 } as ImageRequest;
const hosting = { urlOf: ({ id }: { readonly id: string }) => `https://gateway.example/${id}` };

/** A response of two images that was kept, as its first client got it, and as it was recorded. */
async function keptResponse() {
  const store = new MemoryImageStore();
  const response = new KeptResponse();
  const keepable = new KeepableEvents(asStream(eventsOf(2)), ['one', 'two']);
  keepable.keep((id = 'other') => {
    const file = store.receive(id, { isKept: true });
    return response.add(new KeptImage({ file, writeBytes: () => 64, mustBeStored: undefined, readers: () => [] }));
  });
  let events: readonly StoredEvent[] = [];
  await response.collect(keepable, {
    count: 2,
    record: async (known) => {
      events = JSON.parse(JSON.stringify(known));
    },
  });
  const wanted = wantedBy(request, { delivery: undefined, fallback: 'b64_json', hosting: undefined });
  const original = await joined(await deliver(response.read(), wanted, {}));
  await response.close();
  return { store, original, events };
}

/** Events without sources, the bytes of each image as one text. */
async function joined(events: AsyncIterable<ImageEvent>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const event of events) {
    if (event.type === 'image') all.push({ type: event.type, index: event.index });
    else if (event.type !== 'bytes') all.push(JSON.parse(JSON.stringify(event)));
    else if (typeof all.at(-1) === 'string') all.push(`${all.pop()}${event.chunk}`);
    else all.push(String(event.chunk));
  }
  return all;
}

type Facts = Partial<ConstructorParameters<typeof StoredReader>[0]>;

function read(end: JobEnd | Promise<JobEnd>, images: MemoryImageStore, facts: Facts = {}) {
  const delivered: (readonly string[])[] = [];
  const reader = new StoredReader({
    request,
    delivery: undefined,
    hosting: undefined,
    keyedAs: 'replayed',
    job: 'job',
    model: 'image',
    images,
    end: Promise.resolve(end),
    delivered: (ids) => delivered.push(ids),
    left: () => {},
    isBackground: false,
    ...facts,
  });
  return { reader, delivered };
}

const doneWith = (events: readonly StoredEvent[], delivery: 'url' | 'b64_json' = 'b64_json'): JobEnd => ({
  name: 'done',
  response: { report, delivery, events },
});

describe('a response that is read again', () => {
  test('equals the one that its first client got, and is reported as that was', async () => {
    const { store, original, events } = await keptResponse();
    const { reader, delivered } = read(doneWith(events), store);
    expect(await joined(await reader.events)).toEqual(original);
    expect(reader.report).toMatchObject({ ...report, id: 'job', keyedAs: 'replayed', bill: { cost: 0n } });
    expect(reader.report.knownAt).toBeGreaterThanOrEqual(reader.report.startedAt);
    reader.settle('abandoned');
    expect(delivered).toEqual([]);
    reader.settle('delivered');
    expect(delivered).toEqual([['one', 'two']]);
    expect(imageIds(events)).toEqual(['one', 'two']);
  });

  test('is given as links to a client that wants them, or that says nothing where links are the default', async () => {
    const { store, events } = await keptResponse();
    const links = ['one', 'two'].map((id, index) => ({ type: 'url', index, url: `https://gateway.example/${id}` }));
    const asked = read(doneWith(events), store, { delivery: 'url', hosting }).reader;
    const unasked = read(doneWith(events, 'url'), store, { hosting }).reader;
    for (const { events: all } of [asked, unasked]) expect((await joined(await all)).slice(0, 2)).toEqual(links);
  });

  test.each([
    ['has lost one of its images', (store: MemoryImageStore) => store.images.delete('two')],
    ['has lost all of them', (store: MemoryImageStore) => store.images.clear()],
  ])('that %s is gone, before its first byte', async (_, lose) => {
    const { store, events } = await keptResponse();
    lose(store);
    const { reader, delivered } = read(doneWith(events), store);
    await expect(reader.events).rejects.toMatchObject({ kind: 'idempotency_result_gone' });
    expect(delivered).toEqual([]);
  });

  test('of which an image was never stored, or of which nothing is recorded, is gone', async () => {
    const { store, events } = await keptResponse();
    const without = events.map((event) => (event.type === 'image' ? { type: event.type, index: event.index } : event));
    for (const known of [without, []]) {
      const { reader } = read(doneWith(known), store);
      await expect(reader.events).rejects.toMatchObject({ kind: 'idempotency_result_gone' });
    }
  });

  test('fails with what the store fails with', async () => {
    const { store, events } = await keptResponse();
    store.disk.failsToOpen = true;
    await expect(read(doneWith(events), store).reader.events).rejects.toMatchObject({ kind: 'storage_failed' });
  });
});

describe('a failure that is told again', () => {
  test('is the same one, also after it was written as JSON, without what is not for clients', async () => {
    const moderation = { stage: 'output', categories: ['violence'] } as const;
    const first = new GatewayError('content_policy_violation', 'No.', {
      outcome: 'refused',
      param: 'prompt',
      moderation,
      hint: 'for the operator',
      cause: new Error('secret'),
    });
    const failure = JSON.parse(JSON.stringify(storedFailure(first, report)));
    expect(JSON.stringify(failure)).not.toMatch(/secret|operator/);
    const { reader } = read({ name: 'refused', failure }, new MemoryImageStore());
    const told = await reader.events.catch((error) => error);
    const { kind, message, outcome, param } = first;
    expect(told).toMatchObject({ kind, message, outcome, param, moderation });
    expect(reader.report).toMatchObject(report);
  });

  test('is an unexpected one, of which nothing is told', () => {
    const told = failureOf(storedFailure(new TypeError('ours'), report));
    expect(told).toMatchObject({ kind: 'internal_error' });
    expect(told.message).not.toContain('ours');
  });
});

describe('a job that another process runs', () => {
  const never = new Promise<JobEnd>(() => {});

  test('is waited for', async () => {
    const { store, original, events } = await keptResponse();
    const running = Promise.withResolvers<JobEnd>();
    const { reader } = read(running.promise, store, { keyedAs: 'joined', patienceMs: 60_000 });
    expect(reader.report).toMatchObject({ id: 'job', attempts: 0, knownAt: undefined });
    running.resolve(doneWith(events));
    expect(await joined(await reader.events)).toEqual(original);
  });

  test('is not waited for longer than the client has time: with a key it is told to ask again', async () => {
    const { reader } = read(never, new MemoryImageStore(), { keyedAs: 'joined', patienceMs: 5 });
    await expect(reader.events).rejects.toMatchObject({ kind: 'idempotency_in_flight', retryAfterMs: 2_000 });
  });

  test('without a key, is unknown to a client whose time is over', async () => {
    const { reader } = read(never, new MemoryImageStore(), { keyedAs: undefined, patienceMs: 5 });
    await expect(reader.events).rejects.toMatchObject({ kind: 'upstream_timeout', outcome: 'unknown' });
  });

  test.each([
    ['joined' as const, false, 'idempotency_in_flight'],
    [undefined, false, 'upstream_outcome_unknown'],
    [undefined, true, 'job_not_completed'],
  ])('is not waited for during a shutdown (%s, in the background: %s)', async (keyedAs, isBackground, kind) => {
    const { reader } = read(never, new MemoryImageStore(), { keyedAs, isBackground, patienceMs: 60_000 });
    reader.cancel('shutdown');
    await expect(reader.events).rejects.toMatchObject({ kind });
    reader.leave();
  });

  test('is not waited for by a client that has left', async () => {
    const { reader, delivered } = read(never, new MemoryImageStore(), { patienceMs: 60_000 });
    reader.leave();
    await expect(reader.events).rejects.toMatchObject({ kind: 'client_gone' });
    reader.settle('delivered');
    expect(delivered).toEqual([]);
  });
});
