import { describe, expect, test } from 'vitest';
import { createAuthenticate } from '../../src/api/authenticate.ts';
import { Secret } from '../../src/domain/secret.ts';

const authenticate = createAuthenticate([new Secret('first-key-of-the-gateway'), new Secret('second-key')]);
const refused = expect.objectContaining({ kind: 'invalid_api_key' });

describe('authenticate', () => {
  test.each([
    { authorization: 'Bearer first-key-of-the-gateway' },
    { authorization: 'bearer  second-key ' },
    { 'api-key': 'second-key' },
    { 'x-api-key': 'second-key' },
    { authorization: 'Bearer second-key', 'api-key': 'second-key' },
    { authorization: 'Bearer of another system', 'x-api-key': 'second-key' },
  ])('lets %j in', (headers) => {
    expect(authenticate(headers)).toMatch(/^[0-9a-f]{64}$/);
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
    { 'api-key': '' },
    { 'x-api-key': 'second-key ' },
  ])('refuses %j', (headers) => {
    expect(() => authenticate(headers)).toThrow(refused);
  });

  test('lets everybody in where no key is configured', () => {
    expect(createAuthenticate([])({})).toBe('anybody');
  });

  test('tells keys apart, whichever header they come in', () => {
    const [first, second] = ['first-key-of-the-gateway', 'second-key'].map((key) => authenticate({ 'api-key': key }));
    expect(authenticate({ authorization: 'Bearer second-key' })).toBe(second);
    expect(first).not.toBe(second);
  });
});
