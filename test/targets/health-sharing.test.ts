import { describe, expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { SharedCoolDown, SharedCoolDowns } from '../../src/domain/shared-cool-downs.ts';
import { HealthSharing } from '../../src/targets/health-sharing.ts';
import { TargetHealth } from '../../src/targets/target-health.ts';
import { defaultTimes } from '../../src/targets/times.ts';
import { acquire, fail } from './call-target.ts';

const patience = { timeout: 5_000 };
const target = { place: 'a place', calls: '{"apiKey":"[masked]"}' };

/** What several processes write and read, on a clock that begins elsewhere. */
class Shared {
  readonly rows: SharedCoolDown[] = [];
  isAway = false;

  as(): SharedCoolDowns {
    const own = new Set<SharedCoolDown>();
    return {
      now: () => 1e12 + performance.now(),
      tell: async (told) => {
        own.add(told);
        this.rows.push(told);
      },
      read: async () => {
        if (this.isAway) throw new Error('the store is away');
        return this.rows.filter((row) => !own.has(row));
      },
    };
  }
}

/** A process with one target, which looks when the test says so. */
async function start(shared: Shared, targets = [target]): Promise<TargetHealth & { look(): Promise<void> }> {
  const health = new TargetHealth(10, defaultTimes);
  const sharing = new HealthSharing(shared.as(), 1_000_000);
  sharing.use(
    targets,
    targets.map(() => health),
  );
  await sharing.start();
  onTestFinished(() => sharing.stop());
  return Object.assign(health, { look: () => sharing.start() });
}

const wait = new GatewayError('upstream_unavailable', 'busy', { outcome: 'not-processed', retryAfterMs: 20_000 });
const useless = new GatewayError('upstream_auth_failed', 'no', { outcome: 'not-processed', isTargetWide: true });
const now = () => performance.now();

describe('what one process learns of a target', () => {
  test('a wait that was asked for is kept by the others, too, and told as it was', async () => {
    const shared = new Shared();
    const [one, other] = [await start(shared), await start(shared)];
    await fail(one, wait);
    await other.look();
    const [mine, theirs] = [one.coolDownAt(now()), other.coolDownAt(now())];
    expect(theirs?.error).toMatchObject({ kind: 'upstream_unavailable', message: 'busy', outcome: 'not-processed' });
    expect(Math.abs((theirs?.until ?? 0) - (mine?.until ?? 0))).toBeLessThan(5);
  });

  test('an open breaker opens those of the others', async () => {
    const shared = new Shared();
    const [one, other] = [await start(shared), await start(shared)];
    expect(other.allows(now())).toBe(true);
    await fail(one, useless);
    await other.look();
    expect(other.allows(now())).toBe(false);
    expect(other.breakerState).toBe('open');
    expect(other.allows(now() + 31_000)).toBe(true);
  });

  test('is known to a process that starts later, and not applied to other targets', async () => {
    const shared = new Shared();
    await fail(await start(shared), wait);
    expect((await start(shared)).coolDownAt(now())).toBeDefined();
    expect((await start(shared, [{ ...target, calls: 'others' }])).coolDownAt(now())).toBeUndefined();
  });

  test('is applied once: a success here ends it here', async () => {
    const shared = new Shared();
    const [one, other] = [await start(shared), await start(shared)];
    await fail(one, useless);
    await other.look();
    expect(other.allows(now())).toBe(false);
    using call = await acquire(other);
    call.succeeded();
    await other.look();
    expect(other.allows(now())).toBe(true);
  });

  test('a longer wait that is known here is kept', async () => {
    const shared = new Shared();
    const [one, other] = [await start(shared), await start(shared)];
    await fail(other, wait.with({ retryAfterMs: 60_000 }));
    const known = other.coolDownAt(now())?.until;
    await fail(one, wait);
    await other.look();
    expect(other.coolDownAt(now())?.until).toBe(known);
  });

  test('names no target, and holds no credential', async () => {
    const shared = new Shared();
    await fail(await start(shared), wait);
    expect(JSON.stringify(shared.rows)).not.toMatch(/place|apiKey/);
  });

  test('is not missed by a process whose store was away', async () => {
    const shared = new Shared();
    const [one, other] = [await start(shared), await start(shared)];
    shared.isAway = true;
    await fail(one, wait);
    await other.look();
    expect(other.coolDownAt(now())).toBeUndefined();
    shared.isAway = false;
    await other.look();
    expect(other.coolDownAt(now())).toBeDefined();
  });

  test('is looked for again and again, until the process ends', async () => {
    const shared = new Shared();
    const health = new TargetHealth(10, defaultTimes);
    const sharing = new HealthSharing(shared.as(), 1);
    sharing.use([target], [health]);
    await sharing.start();
    onTestFinished(() => sharing.stop());
    await fail(await start(shared), wait);
    await expect.poll(() => health.coolDownAt(now()), patience).toBeDefined();
  });

  test('is told no more once the target has left the configuration', async () => {
    const shared = new Shared();
    const health = new TargetHealth(10, defaultTimes);
    const sharing = new HealthSharing(shared.as(), 5);
    sharing.use([target], [health]);
    sharing.use([], []);
    await fail(health, wait);
    expect(shared.rows).toEqual([]);
  });
});
