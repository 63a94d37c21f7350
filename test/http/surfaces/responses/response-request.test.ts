import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../../src/domain/gateway-error.ts';
import type { EditInputs } from '../../../../src/domain/image-input.ts';
import { asMemberError, requestOf } from '../../../../src/http/surfaces/responses/response-request.ts';
import { imageInput } from '../../../helpers/image-input.ts';
import { readBody } from './read-body.ts';

const inputs = {} as EditInputs['inputs'];
const image = imageInput(Buffer.from('a'));

const asked = async (body: object, images = [image]) =>
  requestOf(await readBody({ input: 'a cat', ...body }), images, inputs);
const tool = (options: object) => ({ tools: [{ type: 'image_generation', ...options }] });

test('the options of the tool and the members of the body become one request', async () => {
  const body = { ...tool({ size: '1024x1024', quality: 'low', partial_images: 2, complexity: 'low' }), stream: true };
  expect((await asked({ ...body, user: 'u' }, [])).request).toMatchObject({
    edit: undefined,
    prompt: 'a cat',
    count: 1,
    ...{ size: '1024x1024', quality: 'low', user: 'u', stream: true, partialImages: 2, delivery: 'b64_json' },
    extra: { complexity: 'low' },
  });
});

describe('the end user', () => {
  test('has the name that image models know, whichever of the two it had', async () => {
    for (const body of [{ safety_identifier: 's' }, { user: 's' }, { user: 's', safety_identifier: 's' }]) {
      const { request, ignored } = await asked(body, []);
      expect([request.user, request.extra, ignored]).toEqual(['s', {}, []]);
    }
  });

  test('is refused by the name that it had', async () => {
    const refused = asked({ safety_identifier: '\ud800' }, []);
    await expect(refused).rejects.toMatchObject({ kind: 'invalid_value', param: 'safety_identifier' });
  });

  test('is the newer one of two', async () => {
    const { request, ignored } = await asked({ user: 'u', safety_identifier: 's' }, []);
    expect([request.user, ignored]).toEqual(['s', ['user']]);
  });
});

describe('partial images are', () => {
  test('sent to a stream', async () => {
    const { request, ignored } = await asked({ ...tool({ partial_images: 2 }), stream: true }, []);
    expect([request.partialImages, ignored]).toEqual([2, []]);
  });

  test('ignored, and reported, without one: clients set up their tool once for both', async () => {
    const { request, ignored } = await asked(tool({ partial_images: 2 }), []);
    expect([request.partialImages, ignored]).toEqual([0, ['tools.partial_images']]);
  });
});

describe('the images of the input are', () => {
  test.each(['auto', 'edit'])('edited where the action is %s', async (action) => {
    expect((await asked(tool({ action }))).request.edit).toEqual({
      images: [image],
      mask: undefined,
      markup: undefined,
      inputs,
    });
  });

  test('left alone where the action is to generate', async () => {
    const { request, ignored } = await asked(tool({ action: 'generate' }));
    expect([request.edit, ignored]).toEqual([undefined, ['input.input_image']]);
  });
});

test.each([
  ['an edit without an image', tool({ action: 'edit' }), 'tools[0].action'],
  ['an option of another kind', tool({ size: 1024 }), 'tools[0].size'],
  ['too many partial images', tool({ partial_images: 4 }), 'tools[0].partial_images'],
  ['half a character in the prompt', { input: '\ud800' }, 'input'],
])('%s is refused by the name that it has in the body', async (_, body, param) => {
  await expect(asked(body, [])).rejects.toMatchObject({ kind: 'invalid_value', param });
  await expect(asked(body, [])).rejects.toThrow(`'${param}'`);
});

test('what the model does not take is named as in the body, too', async () => {
  const body = await readBody({ input: 'a', ...tool({ size: '1x1' }) });
  const refused = new GatewayError('invalid_value', "'size' must be '1024x1024'.", { param: 'size' });
  expect(asMemberError(refused, body)).toMatchObject({
    param: 'tools[0].size',
    message: "'tools[0].size' must be '1024x1024'.",
  });
  const other = new GatewayError('model_not_found', 'No such model.', { param: 'model' });
  expect(asMemberError(other, body)).toBe(other);
});
