import { expect, test } from 'vitest';
import { requestParameters, responseHeaders } from '../../src/http/openapi/headers.ts';
import { readDocument } from './documents.ts';

test('docs/clients.md describes every header of the gateway’s own', () => {
  const sent = Object.values(requestParameters).map(({ name }) => name);
  const own = [...Object.keys(responseHeaders), ...sent].filter((name) => name.startsWith('x-'));
  const clients = readDocument('docs/clients.md');
  expect(own.length).toBeGreaterThan(10);
  expect(own.filter((name) => !clients.includes(`\`${name}\``))).toEqual([]);
});
