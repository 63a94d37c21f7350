import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { providers } from '../../src/app.ts';
import { describeModels } from '../../src/cli/check.ts';
import type { DialectTarget } from '../../src/domain/dialect.ts';
import type { ProviderDescriptor } from '../../src/providers/provider-descriptor.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { asStream } from '../helpers/json-text.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';

const asked: unknown[] = [];

/** All that a new dialect needs beside a line in `app.ts`. */
const easel: ProviderDescriptor<DialectTarget & { readonly easel: string }> = {
  id: 'easel',
  schema: z.strictObject({ easel: z.string().min(1) }),
  azurePath: /^\/easel$/,
  timeoutMs: 42_000,
  address: (url) => (url.endsWith('/easel') ? { ok: { baseURL: url } } : { problem: 'must end in /easel' }),
  likelyPath: () => '/easel',
  addresses: ({ baseURL, easel }) => [{ url: `${baseURL}/${easel}`, remarks: ['with a brush'] }],
  create: ({ easel }) => ({
    id: 'easel',
    operations: ['generate'],
    async generate({ prompt }, call) {
      await call.dispatch();
      call.attempt.sent = true;
      asked.push({ easel, prompt });
      return asStream([
        { type: 'image', index: 0, isPartial: false },
        { type: 'bytes', chunk: Buffer.from(tinyPng) },
        { type: 'image-end', index: 0 },
        { type: 'done' },
      ]);
    },
  }),
  probe: ({ baseURL }) => ({ credential: [new URL(baseURL)], parts: [], isProject: false }),
};

const target = {
  provider: 'easel',
  model: 'gpt-image-2',
  baseURL: 'https://a.example/easel',
  apiKey: 'k',
  easel: 'oak',
};
const all = [...providers, easel];

function problemsOf(changes: object): () => unknown {
  return () => parseModels(JSON.stringify(oneTarget({ ...target, ...changes })), {}, undefined, undefined, all);
}

describe('a dialect that is added to the list of providers', () => {
  test('is valid in the models file, and has its own keys, address and deadline there', () => {
    const text = JSON.stringify(oneTarget(target));
    const { models } = parseModels(text, {}, undefined, undefined, all);
    expect(models[0]).toMatchObject({ timeoutMs: 42_000, targets: [{ provider: 'easel', easel: 'oak' }] });
    expect(() => parseModels(text, {})).toThrow('unknown provider: must be one of azure-async');
  });

  test.each<[object, string]>([
    [{ easel: undefined }, 'models.image.easel (line 1): is required'],
    [{ easle: 'oak', easel: undefined }, 'did you mean `easel`?'],
    [{ deployment: 'x' }, 'unknown key `deployment`'],
    [{ baseURL: 'https://a.example' }, 'must end in /easel'],
    [
      { baseURL: 'https://a.openai.azure.com/easel/easel' },
      'has a path at which Azure has nothing for the provider easel',
    ],
    [{ provider: 'easle' }, 'did you mean `easel`?'],
  ])('is checked as every other: %j', (changes, problem) => {
    expect(problemsOf(changes)).toThrow(problem);
  });

  test('appears in --check, and is called', async () => {
    const gateway = await startGateway(oneTarget(target), { providers: all });
    expect(describeModels(gateway.app.gateway.catalog)).toBe(`image (timeout 42 s)
  target 1: easel, family gpt-image-2, priority 0, weight 1, retires 2027-10-21
    POST https://a.example/easel/oak (with a brush)
`);
    const { status, json } = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect(status).toBe(200);
    expect(json()).toMatchObject({ data: [{ b64_json: tinyPng }] });
    expect(asked).toEqual([{ easel: 'oak', prompt: 'a cat' }]);
  });
});
