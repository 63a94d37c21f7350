import { describe, expect, test } from 'vitest';
import type { GatewayError } from '../../src/domain/gateway-error.ts';
import { passThroughUrl } from '../../src/upstream/pass-through-url.ts';

const baseURL = 'https://res.openai.azure.com/openai/v1';

/** What follows the base URL, or the kind of the error. */
function sent(path: string, search = ''): string {
  try {
    return passThroughUrl(baseURL, { path, search }).href.replace(baseURL, '…');
  } catch (error) {
    return (error as GatewayError).kind;
  }
}

describe('the address of a forwarded request', () => {
  test.each([
    ['/responses', '…/responses'],
    ['/responses/resp_0-aZ', '…/responses/resp_0-aZ'],
    ['/responses/resp_1/cancel', '…/responses/resp_1/cancel'],
    ['/responses/resp_1/input_items', '…/responses/resp_1/input_items'],
    ['/responses/resp%5F1', '…/responses/resp_1'],
    [`/responses/${'a'.repeat(256)}`, `…/responses/${'a'.repeat(256)}`],
  ])('%s is %s', (path, expected) => expect(sent(path)).toBe(expected));

  test.each([
    '/responses/..',
    '/responses/../models',
    '/responses/.',
    '/responses/%2e%2e',
    '/responses/%2E%2E/models',
    '/responses/%252e%252e',
    '/responses/resp_1%2f..%2f..',
    '/responses/resp_1%2Fcancel',
    '/responses/resp_1%5c..',
    '/responses/resp_1\\..',
    '/responses/resp_1;a=b',
    '/responses/resp_1%00',
    '/responses/resp_1%0d%0ahost:%20evil',
    '/responses/resp_1%3fapi-key=a',
    '/responses/resp_1#a',
    '/responses/resp_1%23a',
    '/responses/%ff',
    '/responses/%',
    '/responses/@evil.example.com',
    '/responses/réponse',
    '/responses/',
    '/responses//resp_1',
    `/responses/${'a'.repeat(257)}`,
  ])('%s is refused: no segment of it leads anywhere else', (path) => expect(sent(path)).toBe('invalid_value'));

  test.each(['', '/', 'responses', '/models', '/v1/responses', '//responses', '/responses/a/b/c', '/responses@a'])(
    '%s is no address of the Responses API',
    (path) => expect(sent(path)).toBe('unknown_url'),
  );
});

describe('the query of a forwarded request', () => {
  test.each([
    ['?stream=true&starting_after=7', '?stream=true&starting_after=7'],
    ['?include=a&include[]=b&include%5B%5D=c', '?include=a&include%5B%5D=b&include%5B%5D=c'],
    [
      '?include_obfuscation=false&after=a&before=b&limit=2&order=asc',
      '?include_obfuscation=false&after=a&before=b&limit=2&order=asc',
    ],
    ['?after=a%26api-key%3Db%23', '?after=a%26api-key%3Db%23'],
    ['?after=a#b', '?after=a%23b'],
    ['?after=ä/..%0d%0a', '?after=%C3%A4%2F..%0D%0A'],
    ['?api-version=2025-04-01-preview&limit=1', '?limit=1'],
    ['?', ''],
  ])('%s is sent as %s', (search, expected) => expect(sent('/responses', search)).toBe(`…/responses${expected}`));

  test.each(['?api-key=a', '?subscription-key=a', '?Stream=true', '?stream=true&__proto__=a', '?%73ecret=1', '?=a'])(
    '%s is refused, and not left out',
    (search) => expect(sent('/responses', search)).toBe('unknown_parameter'),
  );

  test('a parameter is named where its name is harmless', () => {
    const messageOf = (search: string) => {
      try {
        return String(passThroughUrl(baseURL, { path: '/responses', search }));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(messageOf('?api-key=canary')).toBe("The query parameter 'api-key' is not one that is forwarded.");
    expect(messageOf('?%0acanary=1')).toBe('The query parameter is not one that is forwarded.');
  });
});
