import { afterEach, describe, expect, test, vi } from 'vitest';
import { KeyStore } from '../../../src/http/keys/key-store.ts';
import { consumer, gatewayKey } from './consumer.ts';

afterEach(() => void vi.useRealTimers());

const nameOf = (keyStore: KeyStore, key: string) => keyStore.find(key)?.consumer.name;

describe('the key store', () => {
  test('knows two keys of one consumer as one consumer', () => {
    const keyStore = new KeyStore([consumer('shop', ['old', 'new']), consumer('batch', ['other'])]);
    expect(keyStore.find('old')?.consumer).toBe(keyStore.find('new')?.consumer);
    expect([nameOf(keyStore, 'old'), nameOf(keyStore, 'other'), nameOf(keyStore, 'nobody')]).toEqual([
      'shop',
      'batch',
      undefined,
    ]);
  });

  test('asks the time of day at each look', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 });
    const keyStore = new KeyStore([{ ...consumer('shop', []), keys: [gatewayKey('key', 2_000)] }]);
    expect(keyStore.find('key')?.isExpired).toBe(false);
    vi.setSystemTime(1_999);
    expect(keyStore.find('key')?.isExpired).toBe(false);
    vi.setSystemTime(2_000);
    expect(keyStore.find('key')?.isExpired).toBe(true);
  });

  test('tells keys apart that share their beginning', () => {
    const common = 'aig_01234567890123456789';
    const keyStore = new KeyStore([consumer('one', [`${common}a`]), consumer('two', [`${common}b`])]);
    expect([nameOf(keyStore, `${common}a`), nameOf(keyStore, `${common}b`), nameOf(keyStore, common)]).toEqual([
      'one',
      'two',
      undefined,
    ]);
  });

  test('finds each of 1,000 consumers', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `caller-${index}`);
    const keyStore = new KeyStore(names.map((name) => consumer(name, [`key of ${name}`], { limits: { requests: 1 } })));
    expect(names.filter((name) => nameOf(keyStore, `key of ${name}`) !== name)).toEqual([]);
  });
});

describe('replacing all consumers', () => {
  test('ends the keys that are gone, and lets those in that have come', () => {
    const keyStore = new KeyStore([consumer('shop', ['old']), consumer('batch', ['other'])]);
    keyStore.replace([consumer('shop', ['new'])]);
    expect([nameOf(keyStore, 'old'), nameOf(keyStore, 'other'), nameOf(keyStore, 'new')]).toEqual([
      undefined,
      undefined,
      'shop',
    ]);
  });

  test('keeps what a consumer that stays has used, by another key too, under limits that have changed', async () => {
    const limits = { requests: 3, images: 10, concurrent: 1 };
    const keyStore = new KeyStore([consumer('shop', ['old'], { limits })]);
    const before = keyStore.find('old')?.consumer;
    before?.acquire();
    await before?.countRequest();
    await before?.reserveImages(4)?.granted;
    keyStore.replace([
      consumer('batch', ['b']),
      consumer('shop', ['new'], { limits: { ...limits, requests: 5, images: 6 } }),
    ]);
    const after = keyStore.find('new')?.consumer;
    expect(() => after?.acquire()).toThrow(expect.objectContaining({ kind: 'rate_limited' }));
    expect(await after?.countRequest()).toMatchObject({ usage: { remaining: 3 }, refusal: undefined });
    expect(await after?.usage('images')).toMatchObject({ limit: 6, remaining: 2 });
  });

  test('counts anew for a window of another length', async () => {
    const keyStore = new KeyStore([consumer('shop', ['key'], { limits: { images: 5 } })]);
    await keyStore.find('key')?.consumer.reserveImages(5)?.granted;
    keyStore.replace([consumer('shop', ['key'], { limits: { images: 5, windowMs: 1_000 } })]);
    expect(await keyStore.find('key')?.consumer.usage('images')).toMatchObject({ remaining: 5 });
  });

  test('counts anew for a consumer that was gone in between', async () => {
    const keyStore = new KeyStore([consumer('shop', ['key'], { limits: { images: 5 } })]);
    await keyStore.find('key')?.consumer.reserveImages(5)?.granted;
    keyStore.replace([consumer('batch', ['other'])]);
    keyStore.replace([consumer('shop', ['key'], { limits: { images: 5 } })]);
    expect(await keyStore.find('key')?.consumer.usage('images')).toMatchObject({ remaining: 5 });
  });

  test('takes limits and models away, and gives them', async () => {
    const keyStore = new KeyStore([consumer('shop', ['key'], { models: ['one'], limits: { images: 1, requests: 1 } })]);
    keyStore.replace([consumer('shop', ['key'])]);
    const shop = keyStore.find('key')?.consumer;
    expect([shop?.models, await shop?.usage('images'), shop?.reserveImages(9)]).toEqual(Array(3));
    keyStore.replace([consumer('shop', ['key'], { models: ['two'] })]);
    expect([...(shop?.models ?? [])]).toEqual(['two']);
  });

  test('never accepts every request, once a key was needed', () => {
    const keyStore = new KeyStore([]);
    expect(keyStore.isOpen).toBe(true);
    keyStore.replace([consumer('shop', ['key'])]);
    keyStore.replace([]);
    expect([keyStore.isOpen, keyStore.find('key')]).toEqual([false, undefined]);
  });
});
