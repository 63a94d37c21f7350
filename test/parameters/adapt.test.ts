import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageRequest, RequestDefaults } from '../../src/domain/image-request.ts';
import { type ParameterPolicy, parameterPolicies } from '../../src/domain/parameter-policy.ts';
import { adaptRequest } from '../../src/parameters/adapt.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';

const adaptFor = (model: string, asked: Partial<ImageRequest>, policy: ParameterPolicy = 'adapt') =>
  adaptRequest({ ...plainRequest, ...asked }, { family: modelFamily(model), policy });

function refusal(model: string, asked: Partial<ImageRequest>, policy: ParameterPolicy = 'adapt'): GatewayError {
  try {
    adaptFor(model, asked, policy);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('the request was not refused');
}

describe('the prompt', () => {
  test.each([
    ['dall-e-2', 1_000],
    ['dall-e-3', 4_000],
    ['gpt-image-1', 32_000],
    ['chatgpt-image-latest', 32_000],
    ['some-new-model', 32_000],
  ])('%s takes %d characters, and not one more unless all is passed', (model, limit) => {
    expect(adaptFor(model, { prompt: 'x'.repeat(limit) }).legs[0].prompt).toHaveLength(limit);
    expect(refusal(model, { prompt: 'x'.repeat(limit + 1) }).param).toBe('prompt');
    expect(adaptFor(model, { prompt: 'x'.repeat(limit + 1) }, 'pass').legs[0].prompt).toHaveLength(limit + 1);
  });
});

describe('adapt', () => {
  test.each<[string, Partial<ImageRequest>, Partial<ImageRequest>, string[]]>([
    ['gpt-image-1', { size: '512x512' }, { size: '1024x1024' }, ['size=512x512>1024x1024']],
    ['gpt-image-1.5', { size: '1792x1024' }, { size: '1536x1024' }, ['size=1792x1024>1536x1024']],
    ['gpt-image-2', { size: '1792x1024' }, { size: '1792x1024' }, []],
    ['gpt-image-2', { size: '3840x2160' }, { size: '3840x2160' }, []],
    ['dall-e-3', { size: '256x256' }, { size: undefined }, ['size=256x256>1024x1024']],
    ['dall-e-3', { quality: 'low' }, { quality: undefined }, ['quality=low>standard']],
    ['dall-e-3', { quality: 'high', style: 'natural' }, { quality: 'hd', style: 'natural' }, ['quality=high>hd']],
    ['gpt-image-1', { quality: 'hd', style: 'vivid' }, { quality: 'high' }, ['quality=hd>high', 'style=removed']],
    ['gpt-image-1', { delivery: 'b64_json' }, {}, []],
    ['gpt-image-1', { delivery: 'url' }, {}, ['delivery=url']],
    ['dall-e-2', { delivery: 'url' }, {}, []],
    ['dall-e-2', { delivery: 'b64_json' }, {}, ['delivery=b64_json']],
    ['dall-e-3', { delivery: 'url' }, { delivery: 'url' }, []],
    ['some-new-model', { delivery: 'url', style: 'vivid' }, { delivery: 'url', style: 'vivid' }, []],
    ['gpt-image-1', { extra: { seed: 0, complexity: 'low' } }, { extra: { complexity: 'low' } }, ['seed=removed']],
    ['dall-e-3', { extra: { seed: 'abcdefgh' } }, {}, ['seed=removed']],
    ['some-new-model', { extra: { seed: 0 } }, { extra: { seed: 0 } }, []],
    ['dall-e-3', { style: 'vivid', quality: 'standard', size: '1024x1024' }, {}, []],
    ['gpt-image-2', { stream: true, partialImages: 2 }, { stream: true, partialImages: 2 }, []],
  ])('%s asked for %j sends %j and reports %j', (model, asked, sent, adaptations) => {
    const { legs, adaptations: reported } = adaptFor(model, asked);
    expect([legs, reported]).toEqual([[{ ...plainRequest, ...sent }], adaptations]);
  });

  test.each<[string, Partial<ImageRequest>, string]>([
    ['gpt-image-1', { size: '2048x1152' }, 'size'],
    ['gpt-image-2', { size: '1000x1000' }, 'size'],
    ['gpt-image-2', { size: '3840x1024' }, 'size'],
    ['gpt-image-2', { size: '3840x3840' }, 'size'],
    ['gpt-image-2', { size: 'WxH' }, 'size'],
    ['dall-e-3', { size: '1536x1024' }, 'size'],
    ['gpt-image-2', { quality: 'xhigh' }, 'quality'],
    ['dall-e-3', { quality: 'max' }, 'quality'],
    ['gpt-image-2', { outputFormat: 'gif' }, 'output_format'],
    ['gpt-image-2', { outputFormat: 'bmp' }, 'output_format'],
    ['dall-e-3', { background: 'transparent' }, 'background'],
    ['dall-e-3', { background: 'transparent', outputFormat: 'jpeg' }, 'background'],
    ['gpt-image-2', { outputCompression: 80 }, 'output_compression'],
    ['gpt-image-2', { outputCompression: 80, outputFormat: 'png' }, 'output_compression'],
    ['dall-e-2', { extra: { complexity: 'low' } }, 'complexity'],
  ])('%s asked for %j is refused, naming %s', (model, asked, param) => {
    const error = refusal(model, asked);
    expect(error.param).toBe(param);
    expect(error.message).toContain(`'${param}'`);
  });

  test.each<[string, Partial<ImageRequest>, number[]]>([
    ['dall-e-3', { count: 3 }, [1, 1, 1]],
    ['dall-e-2', { count: 7 }, [5, 2]],
    ['gpt-image-2', { count: 2, stream: true }, [1, 1]],
    ['gpt-image-2', { count: 10 }, [10]],
    ['dall-e-2', { count: 4, stream: true }, [4]],
  ])('%s asked for %j makes calls of %j', (model, asked, counts) => {
    const { legs, adaptations } = adaptFor(model, asked);
    expect(legs.map(({ count }) => count)).toEqual(counts);
    expect(adaptations.includes('n=fan-out')).toBe(counts.length > 1);
  });

  test('a family that cannot stream is asked for base64 at once, where it has the choice', () => {
    const { legs, adaptations } = adaptFor('dall-e-3', { stream: true, partialImages: 2 });
    expect(legs).toEqual([{ ...plainRequest, delivery: 'b64_json' }]);
    expect(adaptations).toEqual(['stream=completed-only', 'partial_images=removed']);
  });
});

describe('strict', () => {
  test.each<[string, Partial<ImageRequest>, string, string]>([
    ['gpt-image-2', { style: 'vivid', outputFormat: 'jpeg' }, 'style', 'output_format'],
    ['gpt-image-2', { delivery: 'url', outputFormat: 'jpeg' }, 'response_format', 'output_format'],
    ['gpt-image-2', { delivery: 'url', background: 'opaque' }, 'response_format', 'background'],
    ['some-new-model', { delivery: 'url', extra: { seed: 0 } }, 'response_format', 'seed'],
    ['gpt-image-2', { background: 'transparent', outputFormat: 'jpeg' }, 'background', 'output_format'],
    ['gpt-image-2', { outputCompression: 80, outputFormat: 'png' }, 'output_compression', 'output_format'],
    ['gpt-image-2', { outputCompression: 80 }, 'output_compression', 'output_format'],
  ])(
    '%s asked for %j: the conflict is refused before anything else, and both are named',
    (model, asked, first, second) => {
      const error = refusal(model, { ...asked, size: 'nonsense' }, 'strict');
      expect(error).toMatchObject({ kind: 'invalid_value', param: first });
      expect(error.message).toContain(`'${first}' and '${second}'`);
    },
  );

  test.each<[string, Partial<ImageRequest>, string]>([
    ['gpt-image-2', { size: '512x512' }, 'size'],
    ['gpt-image-2', { quality: 'hd' }, 'quality'],
    ['gpt-image-2', { style: 'vivid' }, 'style'],
    ['gpt-image-2', { delivery: 'url' }, 'response_format'],
    ['dall-e-2', { delivery: 'b64_json' }, 'response_format'],
    ['gpt-image-2', { extra: { seed: 1 } }, 'seed'],
    ['dall-e-3', { extra: { seed: 'abcdefgh' } }, 'seed'],
    ['dall-e-3', { stream: true }, 'stream'],
    ['dall-e-3', { count: 2 }, 'n'],
    ['gpt-image-2', { count: 2, stream: true }, 'n'],
  ])('%s asked for %j is refused, naming %s', (model, asked, param) => {
    expect(refusal(model, asked, 'strict').param).toBe(param);
  });
});

describe('every policy', () => {
  test.each(parameterPolicies)('%s refuses a stream of links, naming both', (policy) => {
    const error = refusal('dall-e-3', { stream: true, delivery: 'url' }, policy);
    expect(error).toMatchObject({ kind: 'invalid_value', param: 'stream' });
    expect(error.message).toContain("'stream' and 'response_format'");
  });

  test.each(parameterPolicies)('%s refuses partial images without a stream', (policy) => {
    expect(refusal('gpt-image-2', { partialImages: 1 }, policy).param).toBe('partial_images');
  });
});

describe('overrides of a target', () => {
  const capabilities = { outputFormats: ['png', 'webp'], compressionFormats: ['webp'], maxCount: 1, streams: false };
  const family = modelFamily('gpt-image-2', capabilities);

  test('open what the table closes, and close what it opens', () => {
    const request = { ...plainRequest, outputFormat: 'webp', outputCompression: 50, count: 2, stream: true };
    const { legs, adaptations } = adaptRequest(request, { family, policy: 'adapt' });
    expect(legs).toEqual([1, 1].map((count) => ({ ...request, stream: false, count })));
    expect(adaptations).toEqual(['stream=completed-only', 'n=fan-out']);
  });
});

describe.each(['adapt', 'strict'] as const)('what a family does anyway, under %s', (policy) => {
  test.each<[string, Partial<ImageRequest>]>([
    ['gpt-image-1', { outputCompression: 100 }],
    ['gpt-image-1', { outputCompression: 100, outputFormat: 'png' }],
    ['gpt-image-1', { moderation: 'auto', background: 'auto', size: 'auto', delivery: 'b64_json' }],
    ['gpt-image-1', { delivery: 'b64_json', outputFormat: 'png', stream: true }],
    ['gpt-image-2', { inputFidelity: 'high' }],
    ['dall-e-3', { outputCompression: 100, outputFormat: 'png', style: 'vivid', background: 'opaque' }],
    ['dall-e-3', { size: 'auto', quality: 'auto', background: 'auto', moderation: 'auto' }],
    ['dall-e-2', { delivery: 'url', outputFormat: 'png', outputCompression: 100 }],
    ['flux', { quality: 'auto', background: 'auto', moderation: 'auto' }],
  ])('%s asked for %j: it is left out, conflicts with nothing, and is not reported', (model, asked) => {
    const { stream = false } = asked;
    const { legs, adaptations } = adaptFor(model, asked, policy);
    expect([legs, adaptations]).toEqual([[{ ...plainRequest, stream }], []]);
  });

  test('leaves the format of a PNG that has all of its quality', () => {
    const { legs } = adaptFor('some-new-model', { outputCompression: 100, outputFormat: 'png' }, policy);
    expect(legs).toEqual([{ ...plainRequest, outputFormat: 'png' }]);
  });

  test.each<[string, Partial<ImageRequest>, string]>([
    ['gpt-image-1', { outputCompression: 99 }, 'output_compression'],
    ['gpt-image-1', { outputCompression: 0, outputFormat: 'png' }, 'output_compression'],
    ['gpt-image-2', { inputFidelity: 'low' }, 'input_fidelity'],
    ['gpt-image-1-mini', { inputFidelity: 'high' }, 'input_fidelity'],
    ['dall-e-2', { stream: true, delivery: 'url' }, 'stream'],
    ['dall-e-3', { background: 'transparent' }, 'background'],
  ])('%s asked for %j does something else, and refuses it by name', (model, asked, param) => {
    expect(refusal(model, asked, policy).param).toBe(param);
  });
});

describe("the operator's defaults", () => {
  const adaptWith = (
    defaults: RequestDefaults,
    asked: Partial<ImageRequest>,
    { model = 'gpt-image-2', policy = 'adapt' }: { model?: string; policy?: ParameterPolicy } = {},
  ) => adaptRequest({ ...plainRequest, ...asked }, { family: modelFamily(model), policy, defaults });

  test('fill in what the caller left out, and nothing else', () => {
    const { legs } = adaptWith({ size: '1536x1024', quality: 'medium' }, { size: '1024x1024' });
    expect(legs).toEqual([{ ...plainRequest, size: '1024x1024', quality: 'medium' }]);
  });

  test.each(parameterPolicies)('yield to what the caller says where they exclude it, under %s', (policy) => {
    const defaults = { quality: 'medium', outputFormat: 'jpeg' };
    const { legs } = adaptWith(defaults, { background: 'transparent' }, { policy });
    expect(legs).toEqual([{ ...plainRequest, background: 'transparent', quality: 'medium' }]);
  });

  test.each<[RequestDefaults, Partial<ImageRequest>, Partial<ImageRequest>]>([
    [{ background: 'transparent' }, { outputFormat: 'jpeg' }, { outputFormat: 'jpeg' }],
    [{ outputCompression: 80 }, { outputFormat: 'png' }, {}],
    [{ outputFormat: 'jpeg', outputCompression: 80 }, { outputFormat: 'png' }, {}],
    [{ outputFormat: 'jpeg', outputCompression: 80 }, { background: 'transparent' }, { background: 'transparent' }],
    [{ delivery: 'url' }, { stream: true }, { stream: true }],
  ])('%j and a caller that asks for %j send %j', (defaults, asked, sent) => {
    const { legs, adaptations, delivery } = adaptWith(defaults, asked);
    expect([legs, adaptations, delivery]).toEqual([[{ ...plainRequest, ...sent }], [], undefined]);
  });

  test('yield as well where only a strict model refuses the conflict', () => {
    const asked = { outputFormat: 'jpeg' };
    expect(adaptWith({ delivery: 'url' }, asked, { policy: 'strict' }).legs).toEqual([{ ...plainRequest, ...asked }]);
    expect(adaptWith({ delivery: 'url' }, asked).adaptations).toEqual(['delivery=url']);
  });

  test('make possible what only goes with them', () => {
    const { legs } = adaptWith({ outputFormat: 'jpeg', quality: 'nonsense' }, { outputCompression: 80 });
    expect(legs).toEqual([{ ...plainRequest, outputFormat: 'jpeg', outputCompression: 80 }]);
  });

  test.each(['adapt', 'strict'] as const)('that the family does not do are not sent under %s', (policy) => {
    const defaults = { quality: 'max', moderation: 'low', size: '1000x1000' };
    expect(adaptWith(defaults, {}, { model: 'dall-e-3', policy }).legs).toEqual([plainRequest]);
  });

  test('of which the first excludes another one: the first yields', () => {
    const { legs } = adaptWith({ background: 'transparent', outputFormat: 'jpeg' }, {});
    expect(legs).toEqual([{ ...plainRequest, outputFormat: 'jpeg' }]);
  });

  test('do not stand in for what the caller itself asks for in vain', () => {
    const adapt = () => adaptWith({ outputFormat: 'png' }, { outputCompression: 80 });
    expect(adapt).toThrow(expect.objectContaining({ param: 'output_compression' }));
    expect(() => adaptWith({ quality: 'low' }, { outputFormat: 'bmp' })).toThrow(
      expect.objectContaining({ param: 'output_format' }),
    );
  });

  test('say how images are delivered where the caller does not', () => {
    expect(adaptWith({ delivery: 'url' }, {})).toMatchObject({ adaptations: ['delivery=url'], delivery: 'url' });
    expect(adaptWith({ delivery: 'url' }, { delivery: 'b64_json' })).toMatchObject({ delivery: 'b64_json' });
  });
});
