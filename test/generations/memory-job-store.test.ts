import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { JobClaim, JobId } from '../../src/domain/job-store.ts';
import { MemoryJobStore } from '../../src/generations/memory-job-store.ts';

const lingerMs = 1_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const unknown = (name: string) => new GatewayError('upstream_timeout', name, { outcome: 'unknown' });
const cat = { consumer: 'one', fingerprint: 'cat' };

async function newJob(store: MemoryJobStore, claim: JobClaim): Promise<JobId> {
  const claimed = await store.claim(claim);
  if (claimed.kind !== 'new') throw new Error(`the claim is ${claimed.kind}`);
  return claimed.job;
}

describe('jobs in memory', () => {
  test('that somebody reads are not joined', async () => {
    const store = new MemoryJobStore(lingerMs);
    const [first, second] = [await newJob(store, cat), await newJob(store, cat)];
    expect(first).not.toBe(second);
    expect(store.mayJoin('one')).toBe(false);
  });

  test('without a reader are joined, the oldest first, each once', async () => {
    const store = new MemoryJobStore(lingerMs);
    const jobs = [await newJob(store, cat), await newJob(store, cat)];
    for (const job of jobs) store.orphan(job);
    expect([store.orphans, store.mayJoin('one'), store.mayJoin('on')]).toEqual([2, true, false]);
    expect([await store.claim(cat), await store.claim(cat)]).toEqual(jobs.map((job) => ({ kind: 'joined', job })));
    expect(await store.claim(cat)).toMatchObject({ kind: 'new' });
    expect(store.orphans).toBe(0);
  });

  test('that have ended are gone, and an unknown outcome is told to everybody for its time', async () => {
    const store = new MemoryJobStore(lingerMs);
    const [first, later, orphan] = [await newJob(store, cat), await newJob(store, cat), await newJob(store, cat)];
    await store.finish(first, { name: 'unknown', error: unknown('first') });
    store.orphan(orphan);
    expect(await store.claim(cat)).toEqual({ kind: 'joined', job: orphan });
    expect(await store.claim(cat)).toMatchObject({ kind: 'unknown', error: { message: 'first' } });
    vi.advanceTimersByTime(900);
    await store.finish(later, { name: 'unknown', error: unknown('later') });
    vi.advanceTimersByTime(900);
    expect(await store.claim(cat)).toMatchObject({ kind: 'unknown', error: { message: 'later' } });
    vi.advanceTimersByTime(100);
    expect(await store.claim(cat)).toMatchObject({ kind: 'new' });
  });

  test('do not read the fingerprint of a request that nothing could be joined to', async () => {
    const store = new MemoryJobStore(lingerMs);
    const fingerprint = vi.fn(() => 'cat');
    const claim = Object.defineProperty({ consumer: 'one' }, 'fingerprint', { get: fingerprint }) as JobClaim;
    const job = await newJob(store, claim);
    await store.dispatch(job);
    await store.note(job, '/operations/1');
    await store.finish(job, { name: 'done' });
    expect(fingerprint).not.toHaveBeenCalled();
  });
});

const claims = fc.record({ consumer: fc.constantFrom('one', 'other'), fingerprint: fc.constantFrom('cat', 'dog') });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), claim: claims }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('orphan' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('finish' as const), which: fc.nat(), isUnknown: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 1_200 }) }) },
);

test('whatever happens, a job is joined by an equal claim of its own consumer, once for each time that it was left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50 }), async (steps) => {
      const store = new MemoryJobStore(lingerMs);
      const name = ({ consumer, fingerprint }: JobClaim) => `${consumer} ${fingerprint}`;
      let now = 0;
      const read: { of: string; job: JobId }[] = [];
      let orphans: { of: string; job: JobId }[] = [];
      const told = new Map<string, { error: GatewayError; until: number }>();
      for (const [index, next] of steps.entries()) {
        if (next.do === 'claim') {
          const of = name(next.claim);
          const oldest = orphans.find((orphan) => orphan.of === of);
          const unknownOf = told.get(of);
          const claimed = await store.claim(next.claim);
          if (oldest) expect(claimed).toEqual({ kind: 'joined', job: oldest.job });
          else if (unknownOf && unknownOf.until > now)
            expect(claimed).toEqual({ kind: 'unknown', error: unknownOf.error });
          else expect(claimed.kind).toBe('new');
          orphans = orphans.filter((orphan) => orphan !== oldest);
          if ('job' in claimed) read.push({ of, job: claimed.job });
        } else if (next.do === 'wait') {
          now += next.ms;
          vi.advanceTimersByTime(next.ms);
        } else if (read.length > 0) {
          const [job] = read.splice(next.which % read.length, 1) as [{ of: string; job: JobId }];
          if (next.do === 'orphan') {
            store.orphan(job.job);
            orphans.push(job);
          } else {
            const error = unknown(`${index}`);
            await store.finish(job.job, next.isUnknown ? { name: 'unknown', error } : { name: 'done' });
            if (next.isUnknown) told.set(job.of, { error, until: now + lingerMs });
          }
        }
        expect(store.orphans).toBe(orphans.length);
      }
      vi.advanceTimersByTime(lingerMs);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 300 },
  );
});
