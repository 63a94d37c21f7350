import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeKeys } from '../../src/cli/check.ts';
import { consumersOf, loadKeys, parseKeys } from '../../src/config/load-keys.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { Secret } from '../../src/domain/secret.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { parse, problemsIn, v1Target } from './example-models.ts';

const models = parse({ aliases: { poster: 'azure-image' }, models: { 'azure-image': v1Target, other: v1Target } });
const now = Date.parse('2026-06-01T12:00:00Z');
const [one, two, three] = ['one', 'two', 'three'].map((key) => hash('sha256', key, 'hex')) as [string, string, string];
const keys = [{ sha256: one }];

const parseFile = (file: unknown, variables = {}) =>
  parseKeys(JSON.stringify(file, null, 1), { variables, models, others: consumersOf([new Secret('env')]), now });
const messagesOf = (file: unknown) =>
  problemsIn(() => parseFile(file)).map(({ path, message }) => `${path}: ${message}`);
/** What a key of `GATEWAY_API_KEYS` is called. */
const nameOf = (key: string) => `GATEWAY_API_KEYS#${hash('sha256', key, 'hex').slice(0, 8)}`;
const shop = (entry: object) => ({ callers: { shop: entry } });

describe('a keys file', () => {
  test('gives each caller its keys, models and limits, frozen', () => {
    const { consumers, warnings } = parseFile({
      $schema: './keys.schema.json',
      callers: {
        shop: {
          keys: [{ sha256: one.toUpperCase(), expires: '2027-01-31' }, { sha256: two }],
          models: ['poster', 'azure-image', 'other'],
          limits: { requests: 60, images: 100, windowMs: 30_000, concurrent: 4 },
        },
        batch: { keys: [{ sha256: three, expires: '2026-06-01T14:00:01+02:00' }] },
      },
    });
    expect(consumers).toEqual([
      {
        name: 'shop',
        keys: [
          { sha256: one, expiresAt: Date.parse('2027-01-31T00:00:00Z') },
          { sha256: two, expiresAt: undefined },
        ],
        models: ['azure-image', 'other'],
        limits: { requests: 60, images: 100, windowMs: 30_000, concurrent: 4 },
      },
      {
        name: 'batch',
        keys: [{ sha256: three, expiresAt: now + 1_000 }],
        models: undefined,
        limits: { requests: undefined, images: undefined, windowMs: 60_000, concurrent: undefined },
      },
    ]);
    expect(warnings).toEqual([]);
    expect(Object.isFrozen(consumers[0]?.keys[0])).toBe(true);
  });

  test('may hold a key itself, also by a variable, and is warned of it without the key', () => {
    const { consumers, warnings } = parseFile(shop({ keys: [{ key: 'two' }, { key: `\${SHOP_KEY}` }] }), {
      SHOP_KEY: 'three',
    });
    expect(consumers[0]?.keys.map(({ sha256 }) => sha256)).toEqual([two, three]);
    expect(warnings.filter((warning) => !warning.includes('could be guessed'))).toEqual([
      'the keys file: callers.shop.keys[0].key (line 6): the file contains the key itself; store its `sha256` instead',
      'the keys file: callers.shop.keys[1].key (line 9): the file contains the key itself; store its `sha256` instead',
    ]);
  });

  test('may hold keys whose time is over, beside two that are valid, and is warned of them', () => {
    const { consumers, warnings } = parseFile(
      shop({ keys: [{ sha256: one, expires: '2026-06-01T12:00:00Z' }, { sha256: two }, { sha256: three }] }),
    );
    expect(consumers[0]?.keys).toHaveLength(3);
    expect(warnings).toEqual(['the keys file: callers.shop.keys[0].expires (line 7): the key has expired']);
  });

  test.each<[string, unknown, string[]]>([
    ['no object', [], [': the file must hold an object']],
    ['nothing', {}, ['callers: is required']],
    ['no callers', { callers: {} }, ['callers: must not be empty']],
    ['a list of callers', { callers: [] }, ['callers: must be an object']],
    [
      'an unknown key',
      { callers: { shop: { keys } }, caller: {} },
      ['caller: unknown key `caller`, did you mean `callers`?'],
    ],
    [
      'an unknown key of a caller',
      shop({ keys, model: [] }),
      ['callers.shop.model: unknown key `model`, did you mean `models`?'],
    ],
    [
      'an unknown key of a key',
      shop({ keys: [{ sha256: one, expiry: '' }] }),
      ['callers.shop.keys[0].expiry: unknown key `expiry`, did you mean `expires`?'],
    ],
    [
      'an unknown limit',
      shop({ keys, limits: { request: 1 } }),
      ['callers.shop.limits.request: unknown key `request`, did you mean `requests`?'],
    ],
    ['no keys', shop({}), ['callers.shop.keys: is required']],
    ['an empty list of keys', shop({ keys: [] }), ['callers.shop.keys: must not be empty']],
    ['a key without a hash', shop({ keys: [{}] }), ['callers.shop.keys[0]: `sha256` is required']],
    [
      'a key with both',
      shop({ keys: [{ sha256: one, key: 'one' }] }),
      ['callers.shop.keys[0]: must not have both `sha256` and `key`'],
    ],
    [
      'half a hash',
      shop({ keys: [{ sha256: one.slice(1) }] }),
      ['callers.shop.keys[0].sha256: must be the SHA-256 of a key, 64 hexadecimal digits; `npm run key` creates both'],
    ],
    [
      'a key with a blank',
      shop({ keys: [{ key: 'a b' }] }),
      ['callers.shop.keys[0].key: must be printable ASCII characters without spaces'],
    ],
    [
      'the same key twice',
      { callers: { shop: { keys }, batch: { keys: [{ key: 'one' }] } } },
      ['callers.batch.keys[0]: the same key as callers.shop.keys[0]'],
    ],
    [
      'a key of the environment',
      shop({ keys: [{ key: 'env' }] }),
      [`callers.shop.keys[0]: the same key as ${nameOf('env')}`],
    ],
    [
      'three valid keys',
      shop({ keys: [{ sha256: one }, { sha256: two }, { sha256: three }] }),
      ['callers.shop.keys: must not hold more than two valid keys'],
    ],
    [
      'an unknown model',
      shop({ keys, models: ['azure-imge'] }),
      ['callers.shop.models[0]: no model or alias has this name, did you mean `azure-image`?'],
    ],
    ['no models', shop({ keys, models: [] }), ['callers.shop.models: must not be empty']],
    [
      'limits out of range',
      shop({ keys, limits: { requests: 0, images: 1.5, concurrent: -1 } }),
      [
        'callers.shop.limits.requests: must be at least 1',
        'callers.shop.limits.images: must be a whole number',
        'callers.shop.limits.concurrent: must be at least 1',
      ],
    ],
    [
      'a window of a millisecond',
      shop({ keys, limits: { requests: 1, windowMs: 1 } }),
      ['callers.shop.limits.windowMs: must be at least 1000'],
    ],
    [
      'a window for nothing',
      shop({ keys, limits: { windowMs: 1000, concurrent: 1 } }),
      ['callers.shop.limits.windowMs: has no effect without `requests` or `images`'],
    ],
    ...['', 'a b', 'a/b', '.a', 'GATEWAY_API_KEYS#0ac5aa4a', 'ä', 'x'.repeat(65)].map(
      (name): [string, unknown, string[]] => [
        `the name ${name}`,
        { callers: { [name]: { keys } } },
        [expect.stringMatching(/: the name must be 1 to 64 letters, digits/)],
      ],
    ),
    ...['soon', '2026-13-01', '2026-02-30', '2026-06-01T12:00:00', '1767225600', ''].map(
      (expires): [string, unknown, string[]] => [
        `the time ${expires}`,
        shop({ keys: [{ sha256: one, expires }] }),
        [expect.stringMatching(/^callers.shop.keys\[0\].expires: must be a date such as 2027-01-31/)],
      ],
    ),
  ])('with %s is refused by place', (_, file, messages) => {
    expect(messagesOf(file)).toEqual(messages);
  });

  test('with several mistakes is refused with all of them, in the order of their lines', () => {
    const file = { callers: { shop: { keys: [{}], models: ['nothing'] }, 'b b': 1 } };
    expect(problemsIn(() => parseFile(file)).map(({ path, line }) => `${path} ${line}`)).toEqual([
      'callers.shop.keys[0] 5',
      'callers.shop.models[0] 8',
      'callers["b b"] 11',
      'callers["b b"] 11',
    ]);
  });

  test('is refused without any value of it', () => {
    const canary = 'kanarienvogel';
    const entry = { key: canary, sha256: canary, expires: canary, sha: canary };
    const file = { callers: { shop: { keys: [entry, { key: `${canary} ` }], models: [canary], limits: canary } } };
    expect(() => parseFile(file)).toThrow();
    expect(() => parseFile(file)).not.toThrow(canary);
  });
});

test('a changed keys file is accepted or refused with a ConfigError that repeats no value', () => {
  const canary = 'kanarienvogel';
  const value = fc.oneof(
    fc.constantFrom<unknown>(canary, `${canary} `, `\${CANARY}`, `\${`, one, '2027-01-31', 0, -1, null, [canary], {
      a: canary,
    }),
    fc.jsonValue(),
  );
  const key = fc.record({ sha256: value, key: value, expires: value }, { requiredKeys: [] });
  const limits = fc.record(
    { requests: value, images: value, windowMs: value, concurrent: value },
    { requiredKeys: [] },
  );
  const shop = fc.record(
    { keys: fc.oneof(fc.array(key), value), models: fc.oneof(fc.array(value), value), limits: fc.oneof(limits, value) },
    { requiredKeys: [] },
  );
  const file = fc.record({ callers: fc.oneof(fc.record({ shop: fc.oneof(shop, value), batch: shop }), value) });
  fc.assert(
    fc.property(file, (changed) => {
      try {
        expect(parseFile(changed, { CANARY: canary }).warnings.join()).not.toContain(canary);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        expect(`${error.stack}${JSON.stringify(error.problems)}`).not.toContain(canary);
      }
    }),
    { numRuns: 500 },
  );
});

describe('loadKeys', () => {
  const environment = (keysFile: string | undefined, gatewayApiKeys: Secret[] = [], host = '127.0.0.1') => ({
    keysFile,
    gatewayApiKeys,
    host,
  });

  test('without a file, or with the usual one that is not there, knows the keys of the environment', () => {
    const secrets = ['a', 'b', 'a'].map((key) => new Secret(key));
    for (const file of [undefined, 'config/keys.json']) {
      const { consumers } = loadKeys(environment(file, secrets), {}, models);
      expect(consumers.map(({ name }) => name)).toEqual([nameOf('a'), nameOf('b')]);
      expect(loadKeys(environment(file), {}, models)).toEqual({ consumers: [], warnings: [] });
    }
  });

  test('a key of the environment keeps its name when an earlier one is removed', () => {
    const namesOf = (...list: string[]) => consumersOf(list.map((key) => new Secret(key))).map(({ name }) => name);
    expect(namesOf('a', 'b')[1]).toBe(namesOf('b')[0]);
    expect(namesOf('a')).not.toEqual(namesOf('b'));
  });

  test('with the example file has its callers beside the keys of the environment', () => {
    const { consumers } = loadKeys(environment('config/keys.example.json', [new Secret('a')]), {}, models);
    expect(consumers.map(({ name }) => name)).toEqual([nameOf('a'), 'web-shop', 'accounting', 'batch']);
  });

  test('refuses a short key of the file beyond loopback, and warns of it on loopback', async () => {
    const file = join(await temporaryDirectory(), 'keys.json');
    writeFileSync(file, JSON.stringify(shop({ keys: [{ key: 'canary' }, { key: 'a-key-that-is-long' }] })));
    const short = 'the key has fewer than 16 characters and could be guessed; create one with `npm run key`';
    expect(problemsIn(() => loadKeys(environment(file, [], '0.0.0.0'), {}, models))).toMatchObject([
      { path: 'callers.shop.keys[0].key', message: short },
    ]);
    const { warnings } = loadKeys(environment(file), {}, models);
    expect(warnings.filter((warning) => warning.includes('keys[0]'))).toContainEqual(expect.stringContaining(short));
    expect(warnings.filter((warning) => warning.includes('keys[1]'))).toHaveLength(1);
    expect(warnings.join()).not.toContain('canary');
  });

  test('with a file that is not there says which variable names it', () => {
    expect(() => loadKeys(environment('config/no-keys.json'), {}, models)).toThrow(
      'Problems in config/no-keys.json:\n  cannot read the file: it does not exist (see KEYS_FILE)',
    );
  });
});

test('callers are described for people, without their hashes', () => {
  const { consumers } = parseFile({
    callers: {
      shop: {
        keys: [{ sha256: one, expires: '2027-01-31' }, { sha256: two }],
        models: ['poster'],
        limits: { images: 9 },
      },
      batch: { keys: [{ sha256: three }], limits: { requests: 1, windowMs: 1_000, concurrent: 2 } },
    },
  });
  expect(describeKeys(consumers)).toBe(
    `Consumers:
  shop: key until 2027-01-31T00:00:00.000Z, key; models azure-image; 9 images per 60 s
  batch: key; all models; 1 requests per 1 s; 2 concurrent
`,
  );
  expect(describeKeys([])).toBe('Authentication: off (loopback only).\n');
});
