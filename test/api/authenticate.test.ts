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
    expect(authenticate(headers)).toBeUndefined();
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
    expect(createAuthenticate([])({})).toBeUndefined();
  });
});
