import { describe, expect, test } from 'vitest';
import type { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import { parameterPolicies } from '../../src/domain/parameter-policy.ts';
import { adaptRequest } from '../../src/parameters/adapt.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';

const mai = modelFamily('MAI-Image-2.6');
const kontext = modelFamily('FLUX.1-Kontext-pro', { maxCount: 1, isTranslated: true });

const adapt = (asked: Partial<ImageRequest>, { family = mai, policy = 'adapt' as const, defaults = {} } = {}) =>
  adaptRequest({ ...plainRequest, ...asked }, { family, policy, defaults });

function refusal(run: () => unknown): GatewayError {
  try {
    run();
  } catch (error) {
    return error as GatewayError;
  }
  throw new Error('the request was not refused');
}

test.each(parameterPolicies)('a search of the web that is not allowed is refused under %s', (policy) => {
  const asked = { ...plainRequest, extra: { web_grounding: true } };
  expect(refusal(() => adaptRequest(asked, { family: mai, policy }))).toMatchObject({ param: 'web_grounding' });
});

describe('a shape that the model chooses', () => {
  const free = { extra: { auto_aspect_ratio: true } };

  test('is refused beside a size, also beside the default one', () => {
    for (const size of ['1024x1024', '1536x1024']) {
      expect(refusal(() => adapt({ ...free, size })).message).toContain("'auto_aspect_ratio' and 'size'");
    }
    expect(refusal(() => adapt({ extra: { ...free.extra, width: 1024, height: 1024 } }))).toMatchObject({
      param: 'auto_aspect_ratio',
    });
  });

  test('goes before the size that the operator has set', () => {
    const { legs } = adapt(free, { defaults: { size: '1536x768' } });
    expect(legs[0]).toMatchObject({ size: undefined, extra: { auto_aspect_ratio: true } });
  });
});

test('an error about edges names the edges', () => {
  const error = refusal(() => adapt({ extra: { width: 700, height: 800 } }));
  expect(error).toMatchObject({ param: 'width' });
  expect(error.message).toContain("'width' and 'height' cannot be '700x800'");
});

describe('several images with a seed, each by a call of its own,', () => {
  test('have seeds of their own, because the same one would buy the same image again', () => {
    const { legs, adaptations } = adapt({ count: 3, extra: { seed: 41 } }, { family: kontext });
    expect(legs.map(({ extra }) => extra.seed)).toEqual([41, 42, 43]);
    expect(adaptations).toEqual(['n=fan-out', 'seed=counted']);
  });

  test('stay within the numbers that JSON has', () => {
    const { legs } = adapt({ count: 2, extra: { seed: Number.MAX_SAFE_INTEGER } }, { family: kontext });
    expect(legs.map(({ extra }) => extra.seed)).toEqual([Number.MAX_SAFE_INTEGER, 0]);
  });

  test('need no further ones where one call makes them all', () => {
    const { legs, adaptations } = adapt({ count: 3, extra: { seed: 41 } }, { family: modelFamily('FLUX.2-pro') });
    expect([legs.length, adaptations]).toEqual([1, []]);
  });
});
