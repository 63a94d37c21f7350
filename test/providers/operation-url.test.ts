import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { operationUrl } from '../../src/providers/azure-async/azure-operation.ts';

const resource = 'https://res.openai.azure.com';
const here = '/openai/operations/images/f508bcf2-e651?api-version=2023-06-01-preview';

describe('operationUrl', () => {
  test('takes path and query of the header', () => {
    expect(operationUrl(`${resource}${here}`, resource)).toEqual({
      url: new URL(`${resource}${here}`),
      isForeignHost: false,
    });
  });

  test('accepts the path that another api-version uses', () => {
    const header = `${resource}/openai/dalle/operations/images/f508?api-version=2023-08-01-preview`;
    expect(operationUrl(header, resource)).toMatchObject({ url: new URL(header) });
  });

  test.each([
    `https://evil.example${here}`,
    `https://res.openai.azure.com.evil.example${here}`,
    `https://res.openai.azure.com@evil.example${here}`,
    `http://res.openai.azure.com${here}`,
    `https://res.openai.azure.com:8443${here}`,
    `//evil.example${here}`,
    `\\\\evil.example${here}`,
  ])('ignores the host of %s, and reports it', (header) => {
    expect(operationUrl(header, resource)).toEqual({ url: new URL(`${resource}${here}`), isForeignHost: true });
  });

  test('accepts a header without a host', () => {
    expect(operationUrl(here, resource)).toEqual({ url: new URL(`${resource}${here}`), isForeignHost: false });
  });

  test('keeps the path prefix of a resource behind API Management', () => {
    const behind = 'https://apim.example/images';
    expect(operationUrl(`https://apim.example/images${here}`, behind)).toMatchObject({ isForeignHost: false });
    expect(operationUrl(`https://apim.example${here}`, behind)).toHaveProperty('refused');
  });

  test.each([
    undefined,
    '',
    ['a', 'b'],
    'https://',
    `${resource}/other/operations/images/id`,
    `${resource}/openai/../admin/id`,
    `${resource}/openai/%2e%2e/admin`,
    `${resource}/openai/%2fevil.example/id`,
    `${resource}/openai//evil.example/id`,
    `${resource}/openai/operations/images/`,
    `${resource}/openai/operations/images/-id`,
    `${resource}/openai/operations/images/${'x'.repeat(129)}`,
    `${resource}/openai`,
  ])('refuses %j', (header) => {
    expect(operationUrl(header, resource)).toHaveProperty('refused');
  });

  test('never leaves the configured origin, whatever the header says', () => {
    const pieces = fc.constantFrom(
      'https:',
      'http:',
      '/',
      '//',
      '\\',
      '@',
      '..',
      '%2e',
      '?',
      '#',
      ':',
      'evil.example',
      'openai',
      'id',
      '\t',
      ' ',
    );
    const header = fc.oneof(
      fc.webUrl({ withQueryParameters: true }),
      fc.string(),
      fc.array(pieces).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(header, (text) => {
        const found = operationUrl(text, resource);
        if (!('url' in found)) return;
        expect(found.url.origin).toBe(resource);
        expect(found.url.pathname).toMatch(/^\/openai\//);
        expect(found.url.username + found.url.password).toBe('');
      }),
      { numRuns: 5000 },
    );
  });
});
