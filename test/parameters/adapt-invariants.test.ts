import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { type ImageRequest, wireNames } from '../../src/domain/image-request.ts';
import { parameterPolicies } from '../../src/domain/parameter-policy.ts';
import { type AdaptTo, adaptRequest } from '../../src/parameters/adapt.ts';
import { type AdaptationName, adaptations } from '../../src/parameters/adaptations.ts';
import { modelFamilies, unknownFamily } from '../../src/parameters/model-families.ts';

const wireName: Readonly<Record<string, string>> = {
  ...wireNames,
  stream: 'stream',
  partialImages: 'partial_images',
  prompt: 'prompt',
};

const oneOf = (...values: string[]) => fc.option(fc.constantFrom(...values, 'nonsense'), { nil: undefined });

const requests: fc.Arbitrary<ImageRequest> = fc.record({
  edit: fc.constant(undefined),
  inputFidelity: oneOf('high', 'low'),
  prompt: fc.constantFrom('a cat', 'x'.repeat(1_001)),
  count: fc.integer({ min: 1, max: 10 }),
  size: oneOf('auto', '256x256', '512x512', '1024x1024', '1536x1024', '1792x1024', '1024x1792', '2048x1152', 'WxH'),
  quality: oneOf('auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd'),
  background: oneOf('auto', 'opaque', 'transparent'),
  outputFormat: oneOf('png', 'jpeg', 'webp'),
  outputCompression: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined, freq: 1 }),
  moderation: oneOf('auto', 'low'),
  style: oneOf('vivid', 'natural'),
  user: fc.option(fc.string(), { nil: undefined }),
  delivery: fc.option(fc.constantFrom('url', 'b64_json'), { nil: undefined }),
  stream: fc.boolean(),
  partialImages: fc.constantFrom(0, 0, 1, 3),
  extra: fc.constantFrom<Record<string, unknown>>({}, {}, { seed: 0 }, { complexity: 'low' }, { seed: 1, flag: false }),
});

// A request that asks for everything is nearly always refused, so most members are thinned out.
const sparseRequests = fc
  .tuple(
    requests,
    fc.subarray(['size', 'quality', 'background', 'outputFormat', 'moderation', 'style', 'inputFidelity'] as const),
  )
  .chain(([request, kept]) =>
    fc.boolean().map((isFull) => {
      if (isFull) return request;
      const members = [
        'size',
        'quality',
        'background',
        'outputFormat',
        'moderation',
        'style',
        'inputFidelity',
      ] as const;
      const dropped = members.filter((member) => !kept.slice(0, 2).includes(member));
      const absent = Object.fromEntries(dropped.map((member) => [member, undefined]));
      return { ...request, ...absent, prompt: 'a cat', outputCompression: undefined };
    }),
  );

const situations = fc.record({
  family: fc.constantFrom(...modelFamilies, unknownFamily),
  policy: fc.constantFrom(...parameterPolicies),
});

type Result = ReturnType<typeof adaptRequest> | GatewayError;

function tryToAdapt(request: ImageRequest, adaptTo: AdaptTo): Result {
  try {
    return adaptRequest(request, adaptTo);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

function isReported(member: string, names: readonly AdaptationName[]): boolean {
  const parameter = wireName[member] ?? member;
  return adaptations.some((adaptation) => adaptation.parameter === parameter && names.includes(adaptation.name));
}

/** The parameters that the gateway has no name for stand among the others. */
function flat({ extra, ...members }: ImageRequest): Readonly<Record<string, unknown>> {
  return { ...members, ...extra };
}

/** The members that were asked for, that a leg lacks, and of which nobody was told. */
function vanished(
  request: ImageRequest,
  { family }: AdaptTo,
  { legs, adaptations: names }: ReturnType<typeof adaptRequest>,
) {
  const { outputFormat = family.defaults.outputFormat } = request;
  // A PNG always has all of its quality.
  const lossless = outputFormat === 'png' ? { outputCompression: 100 } : {};
  const defaults: Readonly<Record<string, unknown>> = { ...family.defaults, ...lossless };
  return (
    Object.entries(flat(request))
      // `auto` says the same as leaving the parameter out.
      .filter(([, value]) => value !== undefined && value !== 'auto')
      .filter(([member, value]) => member !== 'count' && defaults[member] !== value)
      .filter(([member, value]) => legs.some((leg) => flat(leg)[member] !== value))
      .filter(([member]) => !isReported(member, names))
  );
}

const runs = { numRuns: 5_000 };

test('whatever is asked: nothing vanishes, the legs add up, and a refusal names what was asked', () => {
  const seen = { adapted: 0, refused: 0 };
  fc.assert(
    fc.property(sparseRequests, situations, (request, situation) => {
      const result = tryToAdapt(request, situation);
      if (result instanceof GatewayError) {
        seen.refused += 1;
        const { param = '', kind, message } = result;
        const asked = [...Object.keys(request.extra), ...Object.values(wireName)];
        expect(['invalid_value', 'unsupported_parameter']).toContain(kind);
        expect(asked).toContain(param);
        expect(message).toContain(`'${param}'`);
        return;
      }
      seen.adapted += 1;
      expect(vanished(request, situation, result)).toEqual([]);
      expect(result.legs.reduce((sum, { count }) => sum + count, 0)).toBe(request.count);
      const [first] = result.legs;
      for (const leg of result.legs) {
        // The same seed again would be the same image again.
        expect({ ...leg, count: 0, extra: { ...leg.extra, seed: 0 } }).toEqual({
          ...first,
          count: 0,
          extra: { ...first.extra, seed: 0 },
        });
      }
      const seeds = result.legs.map(({ extra }) => extra.seed).filter((seed) => typeof seed === 'number');
      expect(new Set(seeds).size).toBe(seeds.length);
      expect(result.legs.length > 1).toBe(result.adaptations.includes('n=fan-out'));
      expect(new Set(result.adaptations).size).toBe(result.adaptations.length);
    }),
    runs,
  );
  expect(Math.min(seen.adapted, seen.refused)).toBeGreaterThan(500);
});

test('pass changes nothing, and refuses only what no policy can answer; behind other APIs it is adapt', () => {
  fc.assert(
    fc.property(sparseRequests, situations, (request, { family }) => {
      const isImpossible =
        (request.stream && request.delivery === 'url') || (!request.stream && request.partialImages > 0);
      const result = tryToAdapt(request, { family, policy: 'pass' });
      if (family.isTranslated) expect(result).toEqual(tryToAdapt(request, { family, policy: 'adapt' }));
      else if (isImpossible) expect(result).toBeInstanceOf(GatewayError);
      else expect(result).toEqual({ legs: [request], adaptations: [], delivery: request.delivery });
    }),
    runs,
  );
});

test('strict adapts nothing, and adapt takes everything that strict takes', () => {
  fc.assert(
    fc.property(sparseRequests, situations, (request, { family }) => {
      const strict = tryToAdapt(request, { family, policy: 'strict' });
      if (strict instanceof GatewayError) return;
      expect(strict.adaptations).toEqual([]);
      expect(tryToAdapt(request, { family, policy: 'adapt' })).toEqual(strict);
    }),
    runs,
  );
});

test('what goes upstream under adapt needs no further adaptation', () => {
  fc.assert(
    fc.property(sparseRequests, situations, (request, { family }) => {
      const result = tryToAdapt(request, { family, policy: 'adapt' });
      if (result instanceof GatewayError) return;
      for (const leg of result.legs) {
        expect(tryToAdapt(leg, { family, policy: 'adapt' })).toMatchObject({ legs: [leg], adaptations: [] });
      }
    }),
    runs,
  );
});
