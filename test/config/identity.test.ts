import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkIdentity } from '../../src/config/environment-checks.ts';
import { needsTokens } from '../../src/config/models-config.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { agentTarget, entra, parse, problemsIn, v1Target } from './example-models.ts';

const client = { AZURE_TENANT_ID: 'tenant-canary', AZURE_CLIENT_ID: 'client-canary' };
const file = fileURLToPath(import.meta.url);
const owners = ['AZURE_CLIENT_SECRET', 'AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'];

describe('the variables of an identity', () => {
  test.each<[string, Record<string, string | undefined>]>([
    ['none', {}],
    ['a tenant and a client only, as managed identities have them', client],
    ['a client only', { AZURE_CLIENT_ID: 'client-canary' }],
    ['others, which are not looked at', { AZURE_USERNAME: 'somebody', AZURE_OPENAI_API_KEY: 'key' }],
    ['an owner that is empty', { AZURE_CLIENT_SECRET: '' }],
    ['an owner of blanks', { AZURE_CLIENT_SECRET: '  ' }],
    ...owners.map((owner) => [`${owner} with both`, { ...client, [owner]: file }] as [string, Record<string, string>]),
  ])('are accepted: %s', (_name, variables) => {
    expect(() => checkIdentity(variables)).not.toThrow();
  });

  test.each(owners)('without tenant or client are refused beside %s, without a value', (owner) => {
    const whole = { ...client, [owner]: file };
    for (const missing of ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID'] as const) {
      for (const value of [undefined, '', ' ']) {
        expect(problemsIn(() => checkIdentity({ ...whole, [missing]: value }))).toEqual([
          { path: missing, message: `is required with ${owner}` },
        ]);
      }
    }
  });

  test.each(['AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'])(
    'are refused when the file of %s cannot be read',
    (path) => {
      expect(problemsIn(() => checkIdentity({ ...client, [path]: '/no/such/file-canary' }))).toEqual([
        { path, message: 'the file cannot be read' },
      ]);
    },
  );

  test.each(['tenant canary', 'https://login.example.com/tenant', 'tenant/../canary'])(
    'are refused with the tenant %j, which is none',
    (tenant) => {
      expect(problemsIn(() => checkIdentity({ ...client, AZURE_TENANT_ID: tenant }))).toEqual([
        { path: 'AZURE_TENANT_ID', message: 'must be a tenant ID or domain' },
      ]);
    },
  );

  test('are refused with every problem at once, in a text that repeats none of them', () => {
    const variables = { AZURE_CLIENT_SECRET: 'secret-canary', AZURE_FEDERATED_TOKEN_FILE: '/no/file-canary' };
    try {
      checkIdentity(variables);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as ConfigError).message).toBe(`Problems in the environment:
  AZURE_TENANT_ID: is required with AZURE_CLIENT_SECRET
  AZURE_CLIENT_ID: is required with AZURE_CLIENT_SECRET
  AZURE_TENANT_ID: is required with AZURE_FEDERATED_TOKEN_FILE
  AZURE_CLIENT_ID: is required with AZURE_FEDERATED_TOKEN_FILE
  AZURE_FEDERATED_TOKEN_FILE: the file cannot be read`);
      expect(`${(error as ConfigError).stack}`).not.toContain('canary');
    }
  });
});

test('tokens are needed where any target has them in the place of a key', () => {
  const { apiKey: _, ...agent } = agentTarget;
  expect(needsTokens(parse({ models: { poster: v1Target, other: agentTarget } }))).toBe(false);
  const targets = [v1Target, { ...agent, auth: entra }];
  expect(needsTokens(parse({ models: { other: v1Target, poster: { targets } } }))).toBe(true);
});
