import { expect, test } from 'vitest';
import { type EgressProxy, isSameProxy } from '../../src/domain/egress-proxy.ts';
import { Secret } from '../../src/domain/secret.ts';

const origin = 'http://proxy.example.com:3128';
const proxyOf = (credentials: string): EgressProxy => ({ origin, credentials: new Secret(credentials) });

test.each<[string, boolean, EgressProxy | undefined, EgressProxy | undefined]>([
  ['no proxy, still', true, undefined, undefined],
  ['the same', true, { origin }, { origin }],
  ['the same, with equal credentials', true, proxyOf('user:one'), proxyOf('user:one')],
  ['a first one', false, undefined, { origin }],
  ['none any more', false, { origin }, undefined],
  ['another one', false, { origin }, { origin: 'http://proxy.example.com:8080' }],
  ['other credentials', false, proxyOf('user:one'), proxyOf('user:two')],
  ['credentials for the first time', false, { origin }, proxyOf('user:one')],
])('a proxy that is compared: %s', (_, expected, one, other) => {
  expect(isSameProxy(one, other)).toBe(expected);
});
