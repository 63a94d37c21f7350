import { describe, expect, test } from 'vitest';
import type { GatewayError } from '../../src/domain/gateway-error.ts';
import type { EditInputs, InputReference } from '../../src/domain/image-input.ts';
import { adaptRequest } from '../../src/parameters/adapt.ts';
import { checkFamilyTakes, checkInputs } from '../../src/parameters/edit-inputs.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';

const image = (facts: Partial<InputReference> = {}) => imageInput(Buffer.alloc(8), { width: 64, height: 48, ...facts });

const anyLength = { maxInlineImageChars: Number.POSITIVE_INFINITY };

function refusal(run: () => unknown): Pick<GatewayError, 'kind' | 'param' | 'message'> | undefined {
  try {
    run();
  } catch (error) {
    const { kind, param, message } = error as GatewayError;
    return { kind, param, message };
  }
  return undefined;
}

describe('what a family takes', () => {
  const judge = (edit: EditInputs, overrides: { maxInputs?: number; markup?: boolean } = {}) =>
    checkFamilyTakes(edit, modelFamily('gpt-image-2.5', overrides));

  test.each([
    [1, 1],
    [16, 16],
    [3, 4],
  ])('%i images are taken by a family of at most %i', (count, maxInputs) => {
    expect(judge(editInputs(Array(count).fill(image())), { maxInputs })).toBeUndefined();
  });

  test.each([
    [2, 1],
    [16, 15],
  ])('%i images are too many for a family of at most %i, which is said', (count, maxInputs) => {
    expect(refusal(() => judge(editInputs(Array(count).fill(image())), { maxInputs }))).toEqual({
      kind: 'invalid_value',
      param: 'image',
      message: `'image' has ${count} images, and this model takes at most ${maxInputs}.`,
    });
  });

  test('the mask does not count as an image', () => {
    expect(judge(editInputs([image()], { mask: image() }), { maxInputs: 1, markup: false })).toBeUndefined();
  });

  test('markup is for families that know it', () => {
    const edit = editInputs([image()], { markup: image() });
    expect(judge(edit, { markup: true })).toBeUndefined();
    expect(refusal(() => judge(edit, { markup: false }))).toMatchObject({
      kind: 'unsupported_parameter',
      param: 'markup',
    });
  });
});

describe('a family whose images travel as data URLs', () => {
  const head = 'data:image/png;base64,'.length;
  const sized = (size: number, facts: Partial<InputReference> = {}) => image({ ...facts, size });
  const judge = (edit: EditInputs, maxInlineImageChars: number) =>
    checkInputs(edit, modelFamily('gpt-image-2', { maxInlineImageChars }));
  const tooLong = (param: string, bytes: number) => ({
    kind: 'invalid_value',
    param,
    message: `'${param}' is too large: this model takes images of at most about ${bytes} bytes.`,
  });

  test('takes a data URL of exactly the longest length', () => {
    expect(judge(editInputs([sized(3_000)], { mask: sized(3_000) }), head + 4_000)).toBeUndefined();
    expect(refusal(() => judge(editInputs([sized(3_000)]), head + 3_999))).toEqual(tooLong('image', 3_015));
  });

  test('counts the padding, and the length of the type', () => {
    expect(refusal(() => judge(editInputs([sized(3_001)]), head + 4_003))).toMatchObject({ param: 'image' });
    expect(judge(editInputs([sized(3_001)]), head + 4_004)).toBeUndefined();
    const jpeg = editInputs([sized(3_000, { type: 'image/jpeg' })]);
    expect(refusal(() => judge(jpeg, head + 4_000))).toMatchObject({ param: 'image' });
    expect(judge(jpeg, head + 4_001)).toBeUndefined();
  });

  test('refuses any of several images by its name, and the mask by its own', () => {
    const small = sized(30);
    const large = sized(60_000);
    expect(refusal(() => judge(editInputs([small, small, large]), 65_520))).toEqual(tooLong('image', 49_140));
    expect(refusal(() => judge(editInputs([small], { mask: large }), 65_520))).toEqual(tooLong('mask', 49_140));
    expect(refusal(() => judge(editInputs([large], { mask: large }), 65_520))).toMatchObject({ param: 'image' });
    expect(judge(editInputs([small, small], { mask: small }), 65_520)).toBeUndefined();
  });

  test('is none unless it is said: files may be of any size', () => {
    const huge = editInputs([sized(50_000_000)], { mask: sized(50_000_000) });
    for (const model of ['gpt-image-1', 'gpt-image-2', 'dall-e-3', 'flux', 'another']) {
      expect(checkInputs(huge, modelFamily(model))).toBeUndefined();
    }
  });

  test('refuses them under every policy', () => {
    const edit = editInputs([sized(3_000)]);
    const family = modelFamily('gpt-image-2', { maxInlineImageChars: 1_000 });
    for (const policy of ['adapt', 'strict', 'pass'] as const) {
      expect(refusal(() => adaptRequest({ ...plainRequest, edit }, { family, policy }))).toMatchObject({
        param: 'image',
      });
    }
  });
});

describe('what OpenAI’s API demands', () => {
  const large = { width: 65, height: 48 };

  test('images may be of any type and size, with and without transparency', () => {
    const images = [
      image({ type: 'image/jpeg', hasAlpha: false }),
      image({ type: 'image/webp', ...large }),
      image({ width: 1, height: 4000 }),
    ];
    expect(refusal(() => checkInputs(editInputs(images), anyLength))).toBeUndefined();
  });

  describe.each(['mask', 'markup'] as const)('a %s', (param) => {
    const check = (overlay: InputReference, ...images: InputReference[]) =>
      refusal(() => checkInputs(editInputs(images, { [param]: overlay }), anyLength));

    test('that is a PNG with transparent pixels, as large as the image, is taken', () => {
      expect(check(image(), image({ type: 'image/jpeg', hasAlpha: false }))).toBeUndefined();
    });

    test('is compared with the first of several images only', () => {
      expect(check(image(), image(), image(large))).toBeUndefined();
      expect(check(image(), image(large), image())).toMatchObject({ param });
    });

    test.each<[string, Partial<InputReference>, RegExp]>([
      ['a JPEG', { type: 'image/jpeg' }, /must be a PNG, and this one is image\/jpeg/],
      ['a WebP', { type: 'image/webp' }, /must be a PNG, and this one is image\/webp/],
      ['without transparency', { hasAlpha: false }, /must have an alpha channel/],
      ['too wide', { width: 65 }, /as large as the first image: it is 65x48, and the image is 64x48/],
      ['too low', { height: 47 }, /as large as the first image: it is 64x47, and the image is 64x48/],
      ['turned', { width: 48, height: 64 }, /as large as the first image: it is 48x64, and the image is 64x48/],
    ])('that is %s is refused by its name', (_, facts, message) => {
      expect(check(image(facts), image())).toEqual({
        kind: 'invalid_image_file',
        param,
        message: expect.stringMatching(message),
      });
    });
  });

  test('mask and markup cannot be combined', () => {
    const edit = editInputs([image()], { mask: image(), markup: image() });
    expect(refusal(() => checkInputs(edit, anyLength))).toMatchObject({ kind: 'invalid_value', param: 'markup' });
  });
});
