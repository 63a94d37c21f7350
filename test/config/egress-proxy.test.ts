// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/config/problems.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { v1Target } from './example-models.ts';

const canary = 'proxy-password-canary';

function read(keys: Record<string, unknown>, variables: Record<string, string> = {}) {
  return parseModels(JSON.stringify({ ...keys, models: { poster: v1Target } }), variables);
}

function refusalOf(keys: Record<string, unknown>): string {
  try {
    read(keys);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
  }
  throw new Error('it was accepted');
}

describe('egressProxy', () => {
  test.each([
    ['http://proxy.example.com:3128', 'http://proxy.example.com:3128'],
    ['https://proxy.example.com/', 'https://proxy.example.com'],
    ['http://[::1]:3128', 'http://[::1]:3128'],
  ])('%s is taken', (egressProxy, origin) => {
    expect(read({ egressProxy }).egressProxy).toEqual({ origin });
  });

  test('may come from a variable, and its credentials are a secret', () => {
    const PROXY = `http://me:p%40${canary}@proxy.example.com:3128`;
    const { egressProxy } = read({ egressProxy: '${PROXY}' }, { PROXY });
    expect(egressProxy?.origin).toBe('http://proxy.example.com:3128');
    expect(egressProxy?.credentials?.expose()).toBe(`me:p@${canary}`);
    expect(`${inspect(egressProxy)}${JSON.stringify(egressProxy)}`).not.toContain(canary);
  });

  test('is none where the file has none', () => {
    expect(read({})).not.toHaveProperty('egressProxy');
  });

  test.each([
    `proxy.example.com:${canary}`,
    `socks5://me:${canary}@proxy.example.com`,
    `http://me:${canary}@proxy.example.com/path`,
    `http://proxy.example.com?${canary}`,
    `http://me:%zz${canary}@proxy.example.com`,
    `http://a%3Ab:${canary}@proxy.example.com`,
    `http:/${canary}`,
    '',
  ])('%s is refused in words that repeat none of it', (egressProxy) => {
    const said = refusalOf({ egressProxy });
    expect(said).toContain('egressProxy');
    expect(said).not.toContain(canary);
  });

  test('excludes downloads from anywhere', () => {
    expect(refusalOf({ egressProxy: 'http://proxy.example.com:3128', imageUrls: 'download' })).toMatch(
      /imageUrls.*cannot be combined with `egressProxy`/,
    );
  });
});
