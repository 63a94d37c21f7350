import { describe, expect, test } from 'vitest';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import { asStream } from '../helpers/json-text.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { beginIn, hangs, imagesOf, keyed, leaveAccepted, patience, restartIn } from './crash.ts';
import { type Answer, accepting, drawn, eventsOf, failed, refused, silent, unknown } from './fake-targets.ts';

const sent = ({ calls }: { readonly calls: readonly unknown[] }) => calls.length > 0;
const followable = [{ answers: [drawn], resumes: [drawn] }];
const isUnknown = { kind: 'upstream_outcome_unknown', outcome: 'unknown' };

/** A body that has begun and does not end. */
const halfOfIt: Answer = async (call, request) =>
  (async function* (): AsyncGenerator<ImageEvent> {
    yield* eventsOf(1).slice(0, 2);
    await silent(call, request);
  })();

describe('a process that dies', () => {
  test('before it dispatches: the same key runs, and is paid for once', async () => {
    let isDispatching = false;
    const steps = () => ({
      dispatch: () => {
        isDispatching = true;
        return hangs();
      },
    });
    const { crashOnce, fake } = await beginIn({ targets: [{ answers: [drawn] }], steps });
    const next = await restartIn(await crashOnce(() => isDispatching), followable);
    expect(next.recovered).toEqual(['not_processed']);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect([fake.calls.length, next.calls.length]).toEqual([0, 1]);
  });

  test.each([
    ['when it has dispatched and not sent', 'dispatch', { answers: [drawn] }],
    ['when it was accepted and its handle is not noted', 'note', { answers: [accepting('/operations/1', drawn)] }],
  ] as const)('%s: the same key gets “unknown”, and nothing is bought', async (_, step, target) => {
    let isThere = false;
    const { crashOnce } = await beginIn({
      targets: [target],
      steps: (store) => ({
        async [step](...values: Parameters<typeof store.dispatch>) {
          if (step === 'dispatch') await store.dispatch(...values);
          isThere = true;
          await hangs();
        },
      }),
    });
    const next = await restartIn(await crashOnce(() => isThere), followable);
    expect(next.recovered).toEqual(['unknown']);
    for (let time = 0; time < 2; time += 1) {
      const reader = await next.start({}, keyed);
      await expect(reader.events).rejects.toMatchObject(isUnknown);
      expect(reader.report.keyedAs).toBe('replayed');
    }
    expect([next.calls, next.resumed]).toEqual([[], []]);
  });

  test.each([
    ['waits for a response', silent],
    ['has a part of the body', halfOfIt],
  ])('while it %s: the same key gets “unknown”, and nothing is bought', async (_, answer) => {
    const { crashOnce } = await beginIn({ targets: [{ answers: [answer] }] });
    const next = await restartIn(await crashOnce(sent), followable);
    await expect((await next.start({}, keyed)).events).rejects.toMatchObject(isUnknown);
    expect([next.recovered, next.calls, next.resumed]).toEqual([['unknown'], [], []]);
  });

  test('when its handle is noted: the same key waits, and gets the images', async () => {
    let isNoted = false;
    const { crashOnce } = await beginIn({
      targets: [{ answers: [accepting('/operations/1', silent)] }],
      steps: (store) => ({
        async note(...values) {
          await store.note(...values);
          isNoted = true;
        },
      }),
    });
    const next = await restartIn(await crashOnce(() => isNoted), followable);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect([next.recovered, next.calls, next.resumed]).toEqual([['resumed'], [], ['a /operations/1']]);
    await expect.poll(() => next.images.openFiles.size, patience).toBe(0);
  });

  test.each([
    ['a synchronous call: “unknown”', drawn, undefined],
    ['a call with a handle: the images', accepting('/operations/1', drawn), ['a cat 0']],
  ])('when an image is written and not renamed, of %s', async (_, answer, expected) => {
    const images = new MemoryImageStore();
    let isCommitting = false;
    images.disk.beforeCommit = () => {
      isCommitting = true;
      return hangs();
    };
    const { crashOnce } = await beginIn({ targets: [{ answers: [answer] }], images });
    const next = await restartIn(await crashOnce(() => isCommitting), followable);
    const reader = await next.start({}, keyed);
    if (expected) expect(await imagesOf(reader)).toEqual(expected);
    else await expect(reader.events).rejects.toMatchObject(isUnknown);
    expect(next.calls).toEqual([]);
  });

  test('when the images are stored and the end is not recorded: the same key gets them from their files', async () => {
    let isFinishing = false;
    const { crashOnce } = await beginIn({
      targets: [{ answers: [accepting('/operations/1', drawn)] }],
      steps: () => ({
        finish: () => {
          isFinishing = true;
          return hangs();
        },
      }),
    });
    const left = await crashOnce(() => isFinishing);
    const next = await restartIn(left, followable);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect([next.recovered, next.calls, next.resumed]).toEqual([['stored'], [], []]);
  });

  test('when its images are in a store that is away: nothing is said of them before they can be asked for', async () => {
    let isFinishing = false;
    const { crashOnce } = await beginIn({
      targets: [{ answers: [drawn] }],
      steps: () => ({
        finish: () => {
          isFinishing = true;
          return hangs();
        },
      }),
    });
    const left = await crashOnce(() => isFinishing);
    left.images.disk.failsToOpen = true;
    const next = await restartIn(left, followable);
    // It has asked once, and will again.
    expect(next.recovered).toEqual([]);
    left.images.disk.failsToOpen = false;
    await expect.poll(() => next.recovered, patience).toEqual(['stored']);
    expect(await imagesOf(await next.start({}, keyed))).toEqual(['a cat 0']);
    expect([next.calls, next.resumed]).toEqual([[], []]);
  });

  test('when it has finished: the same key gets the same response, byte for byte', async () => {
    const { crashOnce, reader } = await beginIn({ targets: [{ answers: [drawn] }], request: { count: 3 } });
    const first = await imagesOf(reader);
    const next = await restartIn(await crashOnce(() => true), followable);
    const again = await next.start({ count: 3 }, keyed);
    expect(await imagesOf(again)).toEqual(first);
    expect(again.report).toMatchObject({ keyedAs: 'replayed', attempts: 1, target: 'a', id: reader.report.id });
    expect([next.recovered, next.calls]).toEqual([[], []]);
  });

  test('without a key: its client’s own retry learns what has become of it, and others buy for themselves', async () => {
    const { crashOnce } = await beginIn({ targets: [{ answers: [silent] }], caller: {} });
    const next = await restartIn(await crashOnce(sent), followable, { times: { lingerMs: 0 } });
    const retry = await next.start({}, { isRetry: true });
    await expect(retry.events).rejects.toMatchObject(isUnknown);
    expect([next.retries, next.calls]).toEqual([['shared_unknown'], []]);
    await imagesOf(await next.start());
    expect(next.calls).toHaveLength(1);
  });
});

describe('a request of several calls whose process dies', () => {
  const request = { count: 2 };
  const partly = { model: { partialSuccess: 'deliver' } } as const;
  const one = [{ answers: [drawn, silent], maxCount: 1 }];
  const firstIsStored = ({ images, calls }: { images: MemoryImageStore; calls: readonly unknown[] }) =>
    images.images.size === 1 && calls.length === 2;

  test('when some of them are done: “unknown”, and their images stay', async () => {
    const { crashOnce } = await beginIn({ targets: one, request });
    const next = await restartIn(await crashOnce(firstIsStored), followable);
    await expect((await next.start(request, keyed)).events).rejects.toMatchObject(isUnknown);
    expect([next.recovered, next.images.images.size, next.calls]).toEqual([['unknown'], 1, []]);
  });

  test('when some of them are done, and a part may be delivered: that part', async () => {
    const { crashOnce } = await beginIn({ targets: one, request, facts: partly });
    const next = await restartIn(await crashOnce(firstIsStored), followable, partly);
    expect(await imagesOf(await next.start(request, keyed))).toEqual(['a cat 0']);
    expect([next.recovered, next.calls, next.resumed]).toEqual([['stored'], [], []]);
  });

  test('when none of them is done, and a part may be delivered: “unknown”', async () => {
    const { crashOnce } = await beginIn({ targets: [{ answers: [silent], maxCount: 1 }], request, facts: partly });
    const next = await restartIn(await crashOnce(({ calls }) => calls.length === 2), followable, partly);
    await expect((await next.start(request, keyed)).events).rejects.toMatchObject(isUnknown);
    expect(next.calls).toEqual([]);
  });

  test('when one is stored and the other one was accepted: both, in order', async () => {
    let notes = 0;
    const other: Answer = async () =>
      asStream<ImageEvent>([
        { type: 'image', index: 0, isPartial: false },
        { type: 'bytes', chunk: Buffer.from(Buffer.from('another').toString('base64')) },
        { type: 'image-end', index: 0 },
        { type: 'done' },
      ]);
    const { crashOnce } = await beginIn({
      targets: [{ answers: [drawn, accepting('/operations/2', silent)], maxCount: 1 }],
      request,
      steps: (store) => ({
        async note(...values) {
          await store.note(...values);
          notes += 1;
        },
      }),
    });
    const left = await crashOnce(({ images }) => notes === 1 && images.images.size === 1);
    const next = await restartIn(left, [{ answers: [], resumes: [other] }]);
    expect(await imagesOf(await next.start(request, keyed))).toEqual(['a cat 0', 'another']);
    expect([next.recovered, next.calls, next.resumed]).toEqual([['resumed'], [], ['a /operations/2']]);
  });
});

describe('accepted work of a process that has died', () => {
  test.each([
    ['whose target has left the configuration', followable, { firstTarget: 'z' }],
    ['whose model has left the configuration', followable, { model: { name: 'another' } }],
    ['whose target cannot follow it any more', [{ answers: [drawn] }], {}],
  ])('%s is unknown', async (_, targets, facts) => {
    const left = await leaveAccepted();
    const next = await restartIn(left, targets, facts);
    expect([next.recovered, next.calls, next.resumed]).toEqual([['unknown'], [], []]);
    await next.store.close();
    // With the former configuration, the key still says so.
    const later = await restartIn(left, followable);
    await expect((await later.start({}, keyed)).events).rejects.toMatchObject(isUnknown);
  });

  test.each([
    ['has failed: the same key runs again', failed, { kind: 'upstream_generation_failed' }, 1],
    ['was refused: the same key is told so', refused, { kind: 'content_policy_violation' }, 0],
    ['is lost: the same key gets “unknown”', unknown, { outcome: 'unknown' }, 0],
  ])('that %s', async (_, answer, error, bought) => {
    const next = await restartIn(await leaveAccepted(), [{ answers: [drawn], resumes: [answer] }]);
    await expect.poll(() => next.records.map((record) => record.error), patience).toMatchObject([error]);
    const reader = await next.start({}, keyed);
    if (bought > 0) expect(await imagesOf(reader)).toEqual(['a cat 0']);
    else await expect(reader.events).rejects.toMatchObject(error);
    expect(next.calls).toHaveLength(bought);
  });
});

describe('images whose responses have reached a client', () => {
  test.each([true, false])('may be evicted after a restart, if they are on this machine: %s', async (isLocal) => {
    const { crashOnce, fake, reader } = await beginIn({ targets: [{ answers: [drawn] }] });
    await imagesOf(reader);
    await expect.poll(async () => (await Array.fromAsync(fake.store.deliveredImages())).length, patience).toBe(1);
    const left = await crashOnce(() => true);
    left.images.isLocal = isLocal;
    const next = await restartIn(left, followable);
    expect([...next.images.evictable.keys()]).toEqual(isLocal ? [...left.images.images.keys()] : []);
  });
});
