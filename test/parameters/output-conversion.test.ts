import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { ModelCapabilities } from '../../src/domain/model-capabilities.ts';
import { type AdaptTo, adaptRequest } from '../../src/parameters/adapt.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';

type Circumstances = Partial<AdaptTo> & { readonly overrides?: Partial<ModelCapabilities> };

function adapt(model: string, asked: Partial<ImageRequest>, { overrides, ...others }: Circumstances = {}) {
  return adaptRequest(
    { ...plainRequest, ...asked },
    { family: modelFamily(model, overrides), policy: 'adapt', ...others },
  );
}

function refusal(...asked: Parameters<typeof adapt>): GatewayError {
  try {
    adapt(...asked);
  } catch (error) {
    if (error instanceof GatewayError) return error;
  }
  throw new Error('the request was not refused');
}

const jpegOnly = { overrides: { outputFormats: ['jpeg'], defaults: {} } };
const withoutLevels = { overrides: { compressionFormats: [] } };

describe('an output format that the family does not make', () => {
  test.each<[Partial<ImageRequest>, Circumstances, Partial<ImageRequest>, object, string]>([
    [{ outputFormat: 'webp' }, {}, {}, { format: 'webp', compression: 100 }, 'png>webp'],
    [{ outputFormat: 'webp', outputCompression: 80 }, {}, {}, { format: 'webp', compression: 80 }, 'png>webp'],
    [{ outputFormat: 'webp' }, jpegOnly, { outputFormat: 'jpeg' }, { format: 'webp', compression: 100 }, 'jpeg>webp'],
    [{ outputFormat: 'png' }, jpegOnly, { outputFormat: 'jpeg' }, { format: 'png', compression: 100 }, 'jpeg>png'],
    [{ outputFormat: 'jpeg', outputCompression: 7 }, withoutLevels, {}, { format: 'jpeg', compression: 7 }, 'png>jpeg'],
  ])('%j at a family with %j sends %j, and becomes %j', (asked, family, sent, conversion, name) => {
    const adapted = adapt('gpt-image-2', asked, family);
    expect(adapted.legs).toEqual([{ ...plainRequest, ...sent }]);
    expect(adapted).toMatchObject({ conversion, adaptations: [`output_format=${name}`] });
  });

  test('is asked of an agent as the format that is converted, and not of the prompt', () => {
    const overrides = { agentDecides: true, streams: false } as const;
    const { legs, adaptations } = adapt('gpt-image-2', { outputFormat: 'webp' }, { overrides });
    expect(legs).toEqual([plainRequest]);
    expect(adaptations).toEqual(['output_format=png>webp']);
  });

  test.each(['gif', 'svg', 'bmp'])('%s is not converted', (outputFormat) => {
    expect(refusal('gpt-image-2', { outputFormat })).toMatchObject({ param: 'output_format' });
  });

  test('is refused under strict, and forwarded under pass', () => {
    const asked = { outputFormat: 'webp' };
    expect(refusal('gpt-image-2', asked, { policy: 'strict' })).toMatchObject({ param: 'output_format' });
    expect(adapt('gpt-image-2', asked, { policy: 'pass' })).toMatchObject({ legs: [asked], conversion: undefined });
  });

  test('a level that png does not have is not dropped', () => {
    const asked = { outputFormat: 'png', outputCompression: 50 };
    expect(refusal('gpt-image-2', asked, jpegOnly)).toMatchObject({ param: 'output_compression' });
  });
});

describe('a transparent jpeg', () => {
  const asked = { background: 'transparent', outputFormat: 'jpeg' };

  test('is made of a transparent png', () => {
    const adapted = adapt('gpt-image-2', asked);
    expect(adapted.legs).toEqual([{ ...plainRequest, background: 'transparent' }]);
    expect(adapted).toMatchObject({ conversion: { format: 'jpeg' }, adaptations: ['output_format=png>jpeg'] });
  });

  test('a default that would need it yields', () => {
    const defaults = { background: 'transparent' };
    const { legs, conversion } = adapt('gpt-image-2', { outputFormat: 'jpeg' }, { defaults });
    expect(legs).toEqual([{ ...plainRequest, outputFormat: 'jpeg' }]);
    expect(conversion).toBeUndefined();
  });

  test('is refused where the family makes no transparent images', () => {
    expect(refusal('dall-e-3', asked)).toMatchObject({ param: 'background' });
  });
});

describe('links', () => {
  test('are not those of the upstream: it is asked for base64, and the gateway hosts', () => {
    const { legs, adaptations, delivery } = adapt('dall-e-3', { outputFormat: 'webp', delivery: 'url' });
    expect(legs).toEqual([{ ...plainRequest, delivery: 'b64_json' }]);
    expect(adaptations).toEqual(['output_format=png>webp', 'delivery=url']);
    expect(delivery).toBe('url');
  });
});

describe('a gateway that cannot convert', () => {
  const canConvert = false;

  test('refuses, and says what its operator can do', () => {
    const error = refusal('gpt-image-2', { outputFormat: 'webp' }, { canConvert });
    expect(error).toMatchObject({ kind: 'invalid_value', param: 'output_format' });
    expect(error.message).toContain('sharp');
  });

  test('has defaults yield that would need it', () => {
    const { legs } = adapt('gpt-image-2', {}, { canConvert, defaults: { outputFormat: 'webp' } });
    expect(legs).toEqual([plainRequest]);
  });
});

describe('what is too large to be converted is refused before it is paid for', () => {
  test.each([
    ['MAI-Image-2.6', '16384x768', 'webp'],
    ['MAI-Image-2.6', '8192x8192', 'jpeg'],
  ])('%s, %s as %s', (model, size, outputFormat) => {
    expect(refusal(model, { size, outputFormat })).toMatchObject({ kind: 'invalid_value', param: 'output_format' });
    expect(adapt(model, { size, outputFormat: 'png' }).legs).toHaveLength(1);
  });

  test('a format that is converted to is among those that are told', () => {
    expect(refusal('MAI-Image-2.6', { outputFormat: 'gif' }).message).toContain('it takes png, jpeg, webp.');
    expect(refusal('MAI-Image-2.6', { outputFormat: 'gif' }, { canConvert: false }).message).toContain('it takes png.');
  });
});
