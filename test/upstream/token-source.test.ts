import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';
import { type AccessToken, type AcquireToken, TokenSource, type TokenTimes } from '../../src/upstream/token-source.ts';

const minute = 60_000;
const hour = 60 * minute;
const never = new AbortController().signal;

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(async () => {
  // Node tells of a rejection when the microtasks are done.
  await turn();
  await turn();
  process.off('unhandledRejection', note);
  expect(unhandled.splice(0)).toEqual([]);
});

const tokenOf = (text: string, lifeMs = hour): AccessToken => ({
  token: new Secret(text),
  expiresAt: Date.now() + lifeMs,
});

type Rig = {
  readonly source: TokenSource;
  /** One for each acquisition, in order. */
  readonly signals: readonly AbortSignal[];
  clock: number;
  /** What one caller is given, as text, or why it is not. */
  ask(signal?: AbortSignal): Promise<string>;
};

/** A source with a clock of its own; the answers are used one after the other, the last one again and again. */
function rigOf(
  answers: readonly AcquireToken[],
  { times, random = 0 }: { times?: Partial<TokenTimes>; random?: number } = {},
): Rig {
  const signals: AbortSignal[] = [];
  let running = 0;
  const acquire: AcquireToken = async (signal) => {
    signals.push(signal);
    running += 1;
    expect(running).toBe(1);
    signal.addEventListener('abort', () => {
      running = 0;
    });
    try {
      return await (answers[Math.min(signals.length, answers.length) - 1] as AcquireToken)(signal);
    } finally {
      running = 0;
    }
  };
  const rig: Rig = {
    signals,
    clock: 1_000,
    source: new TokenSource(acquire, { times, now: () => rig.clock, random: () => random }),
    ask: async (signal = never) => (await rig.source.token(signal)).expose(),
  };
  return rig;
}

const gives =
  (text: string, lifeMs?: number): AcquireToken =>
  async () =>
    tokenOf(text, lifeMs);
const fails =
  (message: string): AcquireToken =>
  async () => {
    throw new Error(message);
  };

/** An acquisition that the test ends itself. */
function held(): { acquire: AcquireToken; give(token: AccessToken): void; fail(error: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<AccessToken>();
  return { acquire: () => promise, give: resolve, fail: reject };
}

const notSignedIn = { name: 'GatewayError', kind: 'upstream_auth_failed', outcome: 'not-processed' };

describe('a token', () => {
  test('is acquired once for many callers, and kept', async () => {
    const rig = rigOf([gives('first')]);
    expect(await Promise.all(Array.from({ length: 50 }, () => rig.ask()))).toEqual(Array(50).fill('first'));
    rig.clock += 29 * minute - 1;
    expect(await rig.ask()).toBe('first');
    expect(rig.signals).toHaveLength(1);
  });

  test('is not acquired before somebody needs it', () => {
    expect(rigOf([gives('first')]).signals).toHaveLength(0);
  });

  test.each([
    [0, 30 * minute],
    [0.5, 28.5 * minute],
    [0.999, 27 * minute],
  ])('is replaced from half of its life on, with jitter %d, and serves meanwhile', async (random, refreshAt) => {
    const second = held();
    const rig = rigOf([gives('first'), second.acquire], { random });
    await rig.ask();
    rig.clock += refreshAt - 1_000;
    expect([await rig.ask(), rig.signals.length]).toEqual(['first', 1]);
    rig.clock += 6_000;
    expect(await Promise.all([rig.ask(), rig.ask()])).toEqual(['first', 'first']);
    expect(rig.signals).toHaveLength(2);
    second.give(tokenOf('second'));
    await turn();
    expect(await rig.ask()).toBe('second');
    expect(rig.signals).toHaveLength(2);
  });

  test('serves until it expires when it cannot be replaced early, and nobody is told of that', async () => {
    const rig = rigOf([gives('first'), fails('down'), fails('down'), gives('later')]);
    await rig.ask();
    rig.clock += 31 * minute;
    expect(await rig.ask()).toBe('first');
    await turn();
    // Within the pause nobody asks for another one.
    expect([await rig.ask(), rig.signals.length]).toEqual(['first', 2]);
    rig.clock += 28 * minute;
    expect(await rig.ask()).toBe('first');
    await turn();
    expect(rig.signals).toHaveLength(3);
    rig.clock += minute;
    expect(await rig.ask()).toBe('later');
  });

  test('that has expired, within its margin, is waited for', async () => {
    const rig = rigOf([gives('first'), gives('second')]);
    await rig.ask();
    rig.clock += hour - 29_000;
    expect(await rig.ask()).toBe('second');
  });

  test('of a short life has a short margin', async () => {
    const rig = rigOf([gives('first', 1_000), gives('second')]);
    await rig.ask();
    rig.clock += 890;
    expect(await rig.ask()).toBe('first');
    await turn();
    expect(await rig.ask()).toBe('second');
  });

  test('keeps its life when the system’s clock is set to another time', async () => {
    const rig = rigOf([gives('first'), gives('second')]);
    await rig.ask();
    const now = Date.now();
    const spy = vi.spyOn(Date, 'now');
    try {
      for (const jump of [-10 * 365 * 24 * hour, 10 * 365 * 24 * hour]) {
        spy.mockReturnValue(now + jump);
        expect(await rig.ask()).toBe('first');
      }
    } finally {
      spy.mockRestore();
    }
    expect(rig.signals).toHaveLength(1);
  });
});

describe('a token that is not to be had', () => {
  test('is a failed sign-in before anything was sent, with its cause for the log only', async () => {
    const error = await rigOf([fails('cause-canary')])
      .ask()
      .catch((reason) => reason);
    expect(error).toMatchObject({ ...notSignedIn, cause: { message: 'cause-canary' } });
    expect(error.message).not.toContain('canary');
  });

  test('fails everybody who waits at once', async () => {
    const rig = rigOf([fails('down')]);
    const all = await Promise.allSettled([rig.ask(), rig.ask(), rig.ask()]);
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(rig.signals).toHaveLength(1);
  });

  test('is asked for again after 1, 2, 4, 8, 16, and every 30 seconds; until then the answer is the same error', async () => {
    const rig = rigOf([fails('down')]);
    for (const pause of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      const asked = rig.signals.length + 1;
      const error = await rig.ask().catch((reason) => reason);
      expect(error).toMatchObject(notSignedIn);
      rig.clock += pause - 1;
      expect(await rig.ask().catch((reason) => reason)).toBe(error);
      expect(rig.signals).toHaveLength(asked);
      rig.clock += 1;
    }
  });

  test('and then is: the next failure pauses for a second again', async () => {
    const rig = rigOf([fails('down'), fails('down'), gives('first', 10_000), fails('down'), gives('second')]);
    await rig.ask().catch(() => {});
    rig.clock += 1_000;
    await rig.ask().catch(() => {});
    rig.clock += 2_000;
    expect(await rig.ask()).toBe('first');
    rig.clock += 10_000;
    await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
    rig.clock += 1_000;
    expect(await rig.ask()).toBe('second');
  });

  test.each<[string, () => AccessToken]>([
    ['no time', () => ({ token: new Secret('x'), expiresAt: Number.NaN })],
    ['a time that is over', () => tokenOf('x', -1)],
    ['a time in seconds', () => ({ token: new Secret('x'), expiresAt: Date.now() / 1000 })],
    ['a time before all times', () => ({ token: new Secret('x'), expiresAt: Number.NEGATIVE_INFINITY })],
  ])('because it comes with %s: it is never shown', async (_name, token) => {
    const rig = rigOf([async () => token()]);
    await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
    await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
    expect(rig.signals).toHaveLength(1);
  });

  test('because the way to it throws at once is no more than that', async () => {
    const source = new TokenSource(() => {
      throw new Error('at once');
    });
    await expect(source.token(never)).rejects.toMatchObject(notSignedIn);
  });
});

describe('an acquisition that hangs', () => {
  const times = { acquireMs: 30 };

  test('ends after acquireMs, whether it obeys its signal or not', async () => {
    const rig = rigOf([() => new Promise(() => {})], { times });
    const begin = performance.now();
    await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
    expect(performance.now() - begin).toBeLessThan(1_000);
    expect(rig.signals[0]?.aborted).toBe(true);
    // Nobody waits as long again within the pause.
    await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
    expect(rig.signals).toHaveLength(1);
  });

  test('and comes late serves the next callers, without another one', async () => {
    const late = held();
    const rig = rigOf([late.acquire, gives('another')], { times });
    await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
    late.give(tokenOf('late'));
    await turn();
    expect([await rig.ask(), rig.signals.length]).toEqual(['late', 1]);
  });

  test('and comes late with nonsense, or fails late, changes nothing', async () => {
    for (const end of [
      (late: ReturnType<typeof held>) => late.give(tokenOf('late', Number.NaN)),
      (late: ReturnType<typeof held>) => late.fail(new Error('late')),
    ]) {
      const late = held();
      const rig = rigOf([late.acquire, gives('another')], { times });
      await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
      end(late);
      await turn();
      await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
      rig.clock += 1_000;
      expect(await rig.ask()).toBe('another');
    }
  });

  test('early, in the background, hurts nobody', async () => {
    const rig = rigOf([gives('first'), () => new Promise(() => {})], { times });
    await rig.ask();
    rig.clock += 40 * minute;
    expect(await rig.ask()).toBe('first');
    await wait(60);
    expect(await rig.ask()).toBe('first');
  });
});

describe('a caller that leaves', () => {
  test('gets its signal’s reason at once, and the others get their token', async () => {
    const slow = held();
    const rig = rigOf([slow.acquire]);
    const leaving = new AbortController();
    const gone = rig.ask(leaving.signal);
    const staying = rig.ask();
    const reason = new Error('gone');
    leaving.abort(reason);
    await expect(gone).rejects.toBe(reason);
    expect(rig.signals[0]?.aborted).toBe(false);
    slow.give(tokenOf('first'));
    expect(await staying).toBe('first');
  });

  test('as the only one leaves a token behind, or a failure that nobody has to handle', async () => {
    for (const [end, next] of [
      [(slow: ReturnType<typeof held>) => slow.give(tokenOf('first')), 'first'],
      [(slow: ReturnType<typeof held>) => slow.fail(new Error('down')), undefined],
    ] as const) {
      const slow = held();
      const rig = rigOf([slow.acquire]);
      const reason = new Error('gone');
      await expect(rig.ask(AbortSignal.abort(reason))).rejects.toBe(reason);
      end(slow);
      await turn();
      expect(await rig.ask().catch(() => undefined)).toBe(next);
      expect(rig.signals).toHaveLength(1);
    }
  });
});

describe('a token that an upstream refuses', () => {
  /** The token that the next caller is given, itself. */
  const take = ({ source }: Rig) => source.token(never);

  test('is replaced for the next caller, once for however many were refused', async () => {
    const rig = rigOf([gives('first'), gives('second')]);
    const first = await take(rig);
    expect([rig.source.refused(first), rig.source.refused(first)]).toEqual([true, true]);
    expect(await Promise.all([rig.ask(), rig.ask()])).toEqual(['second', 'second']);
    expect(rig.source.refused(first)).toBe(true);
    expect([await rig.ask(), rig.signals.length]).toEqual(['second', 2]);
  });

  test('as the replacement of another one, within a minute, is not replaced again', async () => {
    const rig = rigOf([gives('first'), gives('second'), gives('third')]);
    rig.source.refused(await take(rig));
    const second = await take(rig);
    rig.clock += minute - 1;
    expect([rig.source.refused(second), await rig.ask()]).toEqual([false, 'second']);
    rig.clock += 1;
    expect([rig.source.refused(second), await rig.ask()]).toEqual([true, 'third']);
    expect(rig.signals).toHaveLength(3);
  });

  test('as the one that replaced an old one early is replaced', async () => {
    const rig = rigOf([gives('first'), gives('second'), gives('third')]);
    await rig.ask();
    rig.clock += 31 * minute;
    await rig.ask();
    await turn();
    expect([rig.source.refused(await take(rig)), await rig.ask()]).toEqual([true, 'third']);
  });

  test('and cannot be replaced is shown all the same: it is better than none, and others may accept it', async () => {
    const rig = rigOf([gives('first'), fails('down'), fails('down'), gives('second')]);
    const first = await take(rig);
    expect(rig.source.refused(first)).toBe(true);
    expect([await rig.ask(), rig.signals.length]).toEqual(['first', 2]);
    // Until the pause is over there will be no other one.
    expect([rig.source.refused(first), await rig.ask(), rig.signals.length]).toEqual([false, 'first', 2]);
    rig.clock += 1_000;
    expect([rig.source.refused(first), await rig.ask(), rig.signals.length]).toEqual([true, 'first', 3]);
    rig.clock += 2_000;
    const second = await take(rig);
    expect([second.expose(), rig.source.refused(second)]).toEqual(['second', false]);
  });

  test('and has expired before it could be replaced is not shown any more', async () => {
    const rig = rigOf([gives('first'), fails('down')]);
    rig.source.refused(await take(rig));
    await rig.ask();
    rig.clock += hour;
    await expect(rig.ask()).rejects.toMatchObject(notSignedIn);
  });

  test('while another one is being acquired early waits for that one', async () => {
    const second = held();
    const rig = rigOf([gives('first'), second.acquire]);
    const first = await take(rig);
    rig.clock += 31 * minute;
    await rig.ask();
    expect(rig.source.refused(first)).toBe(true);
    const waiting = rig.ask();
    second.give(tokenOf('second'));
    expect([await waiting, rig.signals.length]).toEqual(['second', 2]);
  });
});

test('a token is in no text that is made of the source or of its errors', async () => {
  const rig = rigOf([gives('token-canary')]);
  await rig.ask();
  expect(`${JSON.stringify(rig.source)}${String(rig.source)}`).not.toContain('canary');
});
