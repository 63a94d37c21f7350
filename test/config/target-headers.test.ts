// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { isSameCredential } from '../../src/domain/credential-source.ts';
import {
  agentTarget,
  asyncTarget,
  deploymentTarget,
  entra,
  messagesOf,
  parse,
  problemsOf,
  v1Target,
} from './example-models.ts';

const canary = 'front-door-key';

function credentialOf(target: object, variables = {}) {
  const [model] = parse({ models: { poster: target } }, variables).models;
  const credential = model?.targets[0]?.credential;
  if (credential === undefined) throw new Error('there is no target');
  return credential;
}

const headersOf = (target: object, variables = {}) =>
  Object.entries(credentialOf(target, variables).headers ?? {}).map(([name, value]) => [name, value.expose()]);

describe('headers of a target', () => {
  test.each([asyncTarget, deploymentTarget, v1Target, agentTarget, { ...v1Target, apiKey: undefined, auth: entra }])(
    'are secrets, by names in lower case: %j',
    (target) => {
      const headers = { 'Ocp-Apim-Subscription-Key': '${KEY}', 'cf-aig-authorization': 'Bearer ${KEY}' };
      const variables = { KEY: canary };
      expect(headersOf({ ...target, headers }, variables)).toEqual([
        ['ocp-apim-subscription-key', canary],
        ['cf-aig-authorization', `Bearer ${canary}`],
      ]);
      const config = parse({ models: { poster: { ...target, headers } } }, variables);
      expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain(canary);
    },
  );

  test('may be none', () => {
    expect(credentialOf(v1Target)).not.toHaveProperty('headers');
    expect(headersOf({ ...v1Target, headers: {} })).toEqual([]);
  });

  test.each([
    'api-key',
    'Authorization',
    'content-type',
    'Content-Length',
    'content-encoding',
    'HOST',
    'User-Agent',
    'accept',
    'accept-encoding',
    'traceparent',
    'tracestate',
    'transfer-encoding',
    'connection',
    'keep-alive',
    'te',
    'trailer',
    'upgrade',
    'expect',
    'Proxy-Authorization',
    'X-Ms-Oai-Image-Generation-Deployment',
  ])('cannot be %s, which the gateway sets', (name) => {
    expect(messagesOf({ models: { poster: { ...v1Target, headers: { [name]: canary } } } })).toEqual([
      `models.poster.headers.${name}: the gateway sets this header itself`,
    ]);
  });

  const notName = 'not a valid header name: use letters, digits and dashes';
  const notValue = 'must contain only ASCII characters, without spaces at either end; check for line breaks';
  test.each<[string, unknown, string, string]>([
    ['x y', 'a', '["x y"]', notName],
    ['', 'a', '[""]', notName],
    ['x:', 'a', '["x:"]', notName],
    ['x\r\ny', 'a', '["x\\r\\ny"]', notName],
    ['ключ', 'a', '["ключ"]', notName],
    ['x-a', '', '.x-a', notValue],
    ['x-a', ' canary', '.x-a', notValue],
    ['x-a', 'canary\r\nx: y', '.x-a', notValue],
    ['x-a', 'canary\u0000', '.x-a', notValue],
    ['x-a', 'kanári', '.x-a', notValue],
    ['x-a', 7, '.x-a', 'must be a string'],
    ['x-a', null, '.x-a', 'must be a string'],
    ['x-a', '${NO_SUCH_KEY}', '.x-a', 'the environment variable NO_SUCH_KEY is unset or empty'],
    ['Idempotency-Key', 'a', '.Idempotency-Key', 'this header identifies one request and cannot be the same for all'],
  ])('%j with %j is refused', (name, value, path, message) => {
    expect(messagesOf({ models: { poster: { targets: [{ ...v1Target, headers: { [name]: value } }] } } })).toEqual([
      `models.poster.targets[0].headers${path}: ${message}`,
    ]);
  });

  test('cannot hold one twice in another spelling', () => {
    const headers = { 'x-a': 'one', 'X-A': 'two' };
    expect(messagesOf({ models: { poster: { ...v1Target, headers } } })).toEqual([
      'models.poster.headers.X-A: duplicate header: names are not case-sensitive',
    ]);
  });

  test.each([[[]], ['x-a: b'], [7]])('that are %j are no headers', (headers) => {
    expect(problemsOf({ models: { poster: { ...v1Target, headers } } })).toMatchObject([
      { path: 'models.poster.headers', message: 'must be an object' },
    ]);
  });
});

test('credentials with other headers are others', () => {
  const one = credentialOf({ ...v1Target, headers: { 'x-a': 'one' } });
  const same = credentialOf({ ...v1Target, headers: { 'X-A': 'one' } });
  const others = [{}, { 'x-a': 'two' }, { 'x-b': 'one' }, { 'x-a': 'one', 'x-b': 'two' }];
  expect(isSameCredential(one, same)).toBe(true);
  for (const headers of others) {
    const other = credentialOf({ ...v1Target, headers });
    expect([isSameCredential(one, other), isSameCredential(other, one)]).toEqual([false, false]);
  }
});
