// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/problems.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { agentTarget, asyncTarget, deploymentTarget, entra, v1Target } from './example-models.ts';

const canary = 'kanarienvogel';
const variables = { CANARY: canary, URL: `https://${canary}.example.com?${canary}`, EMPTY: '' };

const base = {
  defaultModel: 'poster',
  aliases: { a: 'poster' },
  models: {
    poster: { timeoutMs: 5000, defaults: { size: 'auto' }, targets: [deploymentTarget, v1Target] },
    old: asyncTarget,
    agent: { ...agentTarget, apiKey: undefined, auth: entra, agentVersion: '1', background: true },
    chat: { ...agentTarget, agent: undefined, chatDeployment: 'chat', maxInlineImageChars: 65_520 },
  },
  limits: { drainMs: 1 },
  egressProxy: 'http://me:password@proxy.example.com:3128',
};

const strings = [
  canary,
  `${canary}\n`,
  '${CANARY}',
  '${CANARY:-x}',
  '${URL}',
  '${EMPTY}',
  '${',
  `\${${canary}`,
  '',
  '\ud800',
];
const value = fc.oneof(
  fc.constantFrom<unknown>(...strings, `https://${canary}@a.example`, `https://a.example/deployments/%${canary}`),
  fc.constantFrom<unknown>(null, true, -1, 1.5, 1e300, [], {}, [canary], { a: canary }, [[{}]]),
  fc.jsonValue(),
);
// A key is printed by design, so the canary only ever stands in values.
const key = fc.constantFrom(
  'provider',
  'model',
  'targets',
  'baseUrl',
  'deployment',
  'name',
  '__proto__',
  'toString',
  ' ',
);
const mutation = fc.record({ at: fc.nat(), key, value, how: fc.constantFrom('replace', 'add', 'remove') });

type Container = Record<string, unknown>;

function containersOf(node: unknown): Container[] {
  if (typeof node !== 'object' || node === null) return [];
  return [node as Container, ...Object.values(node).flatMap(containersOf)];
}

function mutate(
  file: unknown,
  { at, key, value, how }: { at: number; key: string; value: unknown; how: string },
): void {
  const containers = containersOf(file);
  const container = containers[at % containers.length] ?? {};
  const keys = Object.keys(container);
  const chosen = keys[at % Math.max(1, keys.length)] ?? key;
  if (how === 'remove') delete container[chosen];
  else
    Object.defineProperty(container, how === 'add' ? key : chosen, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
}

function refusalOf(text: string): ConfigError | undefined {
  try {
    parseModels(text, variables);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error as ConfigError;
  }
}

function expectSecrecy(text: string): void {
  const refusal = refusalOf(text);
  if (refusal === undefined) return;
  expect(refusal.problems.length).toBeGreaterThan(0);
  expect(refusal.message.split('\n')).toHaveLength(refusal.problems.length + 1);
  expect(`${refusal.stack}${JSON.stringify(refusal.problems)}`).not.toContain(canary);
}

test('a changed file is accepted or refused with a ConfigError that repeats no value', () => {
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
      const file = structuredClone(base);
      for (const change of mutations) mutate(file, structuredClone(change));
      expectSecrecy(JSON.stringify(file));
    }),
    { numRuns: 2000 },
  );
});

test('a damaged text is accepted or refused with a ConfigError that repeats none of it', () => {
  const text = JSON.stringify({ models: { poster: { ...v1Target, apiKey: canary } } });
  fc.assert(
    fc.property(
      fc.nat(text.length),
      fc.nat(3),
      fc.constantFrom('', '"', '\\', '}', ',', '/*', '\n', '\0'),
      (at, cut, piece) => {
        const damaged = text.slice(0, at) + piece + text.slice(at + cut);
        // A damage may turn the value into a key, which is printed by design.
        fc.pre(!damaged.includes(`${canary}":`));
        expectSecrecy(damaged);
      },
    ),
    { numRuns: 2000 },
  );
});

test('any text is accepted or refused with a ConfigError', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void refusalOf(text)));
});
