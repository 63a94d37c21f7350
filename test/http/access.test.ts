import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import { authenticate, releaseAtClose } from '../../src/http/access.ts';
import { KeyStore } from '../../src/http/keys/key-store.ts';
import { consumer } from './keys/consumer.ts';

const keyStore = new KeyStore([
  consumer('first', ['first-key-of-the-gateway']),
  consumer('second', ['second-key']),
  consumer('late', [], { expired: ['old-key'] }),
]);
const refused = expect.objectContaining({ kind: 'invalid_api_key' });

describe('authenticate', () => {
  test.each([
    ['first', { authorization: 'Bearer first-key-of-the-gateway' }],
    ['second', { authorization: 'bearer  second-key ' }],
    ['second', { 'api-key': 'second-key' }],
    ['second', { 'x-api-key': 'second-key' }],
    ['second', { authorization: 'Bearer second-key', 'api-key': 'second-key' }],
    ['second', { authorization: 'Bearer of another system', 'x-api-key': 'second-key' }],
    ['second', { authorization: 'Bearer old-key', 'x-api-key': 'second-key' }],
  ])('lets %s in with %j', (name, headers) => {
    expect(authenticate(keyStore, headers)?.name).toBe(name);
  });

  test.each([
    {},
    { authorization: '' },
    { authorization: 'Bearer ' },
    { authorization: 'second-key' },
    { authorization: 'Basic c2Vjb25kLWtleTo=' },
    { authorization: 'Bearer second-ke' },
    { authorization: 'Bearer second-keyy' },
    { authorization: 'Bearer SECOND-KEY' },
    { authorization: 'Bearer first-key-of-the-gatewaz' },
    { authorization: 'Bearer second-key, Bearer second-key' },
    { 'api-key': '' },
    { 'api-key': '__proto__' },
    { 'x-api-key': 'second-key ' },
    { 'x-api-key': 'second-key, second-key' },
    { 'x-api-key': 'x'.repeat(16_000) },
    { 'x-api-key': `second-key${'\u0000'}` },
  ])('refuses %j', (headers) => {
    expect(() => authenticate(keyStore, headers)).toThrow(refused);
  });

  test('tells whoever shows an expired key, and nobody else, that it has expired', () => {
    expect(() => authenticate(keyStore, { 'api-key': 'old-key' })).toThrow('The API key has expired.');
    expect(() => authenticate(keyStore, { 'api-key': 'any-key' })).toThrow('The API key is not valid.');
  });

  test('the hash that the configuration holds is no key', () => {
    const { sha256 } = consumer('second', ['second-key']).keys[0] ?? {};
    expect(() => authenticate(keyStore, { 'api-key': String(sha256) })).toThrow(refused);
  });

  test('lets everybody in where no key is configured', () => {
    expect(authenticate(new KeyStore([]), {})).toBeUndefined();
  });
});

test.each([false, true])('releaseAtClose releases once, with the connection (closed before: %s)', (destroyed) => {
  const response = Object.assign(new EventEmitter(), { destroyed }) as unknown as ServerResponse;
  const release = vi.fn();
  releaseAtClose(response, release);
  expect(release).toHaveBeenCalledTimes(destroyed ? 1 : 0);
  response.emit('close');
  expect(release).toHaveBeenCalledTimes(1);
});
