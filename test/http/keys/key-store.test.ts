import { afterEach, describe, expect, test, vi } from 'vitest';
import { KeyStore } from '../../../src/http/keys/key-store.ts';
import { consumer, gatewayKey } from './consumer.ts';

afterEach(() => void vi.useRealTimers());

const nameOf = (ring: KeyStore, key: string) => ring.find(key)?.account.name;

describe('the ring of keys', () => {
  test('knows two keys of one consumer as one account', () => {
    const ring = new KeyStore([consumer('shop', ['old', 'new']), consumer('batch', ['other'])]);
    expect(ring.find('old')?.account).toBe(ring.find('new')?.account);
    expect([nameOf(ring, 'old'), nameOf(ring, 'other'), nameOf(ring, 'nobody')]).toEqual(['shop', 'batch', undefined]);
  });

  test('asks the time of day at each look', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 });
    const ring = new KeyStore([{ ...consumer('shop', []), keys: [gatewayKey('key', 2_000)] }]);
    expect(ring.find('key')?.isExpired).toBe(false);
    vi.setSystemTime(1_999);
    expect(ring.find('key')?.isExpired).toBe(false);
    vi.setSystemTime(2_000);
    expect(ring.find('key')?.isExpired).toBe(true);
  });

  test('tells keys apart that share their beginning', () => {
    const common = 'aig_01234567890123456789';
    const ring = new KeyStore([consumer('one', [`${common}a`]), consumer('two', [`${common}b`])]);
    expect([nameOf(ring, `${common}a`), nameOf(ring, `${common}b`), nameOf(ring, common)]).toEqual([
      'one',
      'two',
      undefined,
    ]);
  });

  test('finds each of 1,000 consumers', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `caller-${index}`);
    const ring = new KeyStore(names.map((name) => consumer(name, [`key of ${name}`], { limits: { requests: 1 } })));
    expect(names.filter((name) => nameOf(ring, `key of ${name}`) !== name)).toEqual([]);
  });
});

describe('replacing all consumers', () => {
  test('ends the keys that are gone, and lets those in that have come', () => {
    const ring = new KeyStore([consumer('shop', ['old']), consumer('batch', ['other'])]);
    ring.replace([consumer('shop', ['new'])]);
    expect([nameOf(ring, 'old'), nameOf(ring, 'other'), nameOf(ring, 'new')]).toEqual([undefined, undefined, 'shop']);
  });

  test('keeps what a consumer that stays has used, by another key too, under limits that have changed', async () => {
    const limits = { requests: 3, images: 10, concurrent: 1 };
    const ring = new KeyStore([consumer('shop', ['old'], { limits })]);
    const before = ring.find('old')?.account;
    before?.acquire();
    await before?.countRequest(() => {});
    await before?.payImages(4, () => {})?.paid;
    ring.replace([
      consumer('batch', ['b']),
      consumer('shop', ['new'], { limits: { ...limits, requests: 5, images: 6 } }),
    ]);
    const after = ring.find('new')?.account;
    expect(() => after?.acquire()).toThrow(expect.objectContaining({ kind: 'rate_limited' }));
    let left: number | undefined;
    await after?.countRequest(({ remaining }) => {
      left = remaining;
    });
    expect(left).toBe(3);
    expect(await after?.usage('images')).toMatchObject({ limit: 6, remaining: 2 });
  });

  test('counts anew for a window of another length', async () => {
    const ring = new KeyStore([consumer('shop', ['key'], { limits: { images: 5 } })]);
    await ring.find('key')?.account.payImages(5, () => {})?.paid;
    ring.replace([consumer('shop', ['key'], { limits: { images: 5, windowMs: 1_000 } })]);
    expect(await ring.find('key')?.account.usage('images')).toMatchObject({ remaining: 5 });
  });

  test('counts anew for a consumer that was gone in between', async () => {
    const ring = new KeyStore([consumer('shop', ['key'], { limits: { images: 5 } })]);
    await ring.find('key')?.account.payImages(5, () => {})?.paid;
    ring.replace([consumer('batch', ['other'])]);
    ring.replace([consumer('shop', ['key'], { limits: { images: 5 } })]);
    expect(await ring.find('key')?.account.usage('images')).toMatchObject({ remaining: 5 });
  });

  test('takes limits and models away, and gives them', async () => {
    const ring = new KeyStore([consumer('shop', ['key'], { models: ['one'], limits: { images: 1, requests: 1 } })]);
    ring.replace([consumer('shop', ['key'])]);
    const account = ring.find('key')?.account;
    expect([account?.models, await account?.usage('images'), account?.payImages(9, () => {})]).toEqual(Array(3));
    ring.replace([consumer('shop', ['key'], { models: ['two'] })]);
    expect([...(account?.models ?? [])]).toEqual(['two']);
  });

  test('never lets everybody in, once a key was asked for', () => {
    const ring = new KeyStore([]);
    expect(ring.isOpen).toBe(true);
    ring.replace([consumer('shop', ['key'])]);
    ring.replace([]);
    expect([ring.isOpen, ring.find('key')]).toEqual([false, undefined]);
  });
});
