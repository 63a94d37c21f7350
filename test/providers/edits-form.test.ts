import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { EditInputs } from '../../src/domain/image-input.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';
import { editsForm } from '../../src/providers/azure/edits-form.ts';
import { imagesBody } from '../../src/providers/azure/images-body.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';

const image = imageInput(Buffer.from('an image'));

/** The parts in their order: fields as text, files as what their heads say. */
async function partsOf(
  request: Partial<ImageRequest>,
  edit: EditInputs = editInputs([image]),
  model?: string,
): Promise<[string, string][]> {
  const body = editsForm(imagesBody({ ...plainRequest, edit, ...request }, model), edit);
  const bytes = await buffer((body.content as () => Readable)());
  expect(bytes.length).toBe(body.length);
  const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': body.contentType } }).formData();
  return [...form].map(([name, value]) => [
    name,
    typeof value === 'string' ? value : `${value.name} (${value.type}, ${value.size})`,
  ]);
}

const file = 'image-1.png (image/png, 8)';

describe('the form of an edit', () => {
  test('has what was asked for, as text, before the files', async () => {
    const parts = await partsOf({
      prompt: 'ein Kätzchen\r\nmit Hut',
      count: 3,
      size: '1024x1024',
      quality: 'high',
      background: 'opaque',
      outputFormat: 'jpeg',
      outputCompression: 0,
      moderation: 'low',
      inputFidelity: 'high',
      user: 'u-1',
      stream: true,
      partialImages: 2,
      extra: { complexity: 'high', seed: 0, flag: false, note: '' },
    });
    expect(parts).toEqual([
      ['complexity', 'high'],
      ['seed', '0'],
      ['flag', 'false'],
      ['note', ''],
      ['prompt', 'ein Kätzchen\r\nmit Hut'],
      ['n', '3'],
      ['size', '1024x1024'],
      ['quality', 'high'],
      ['background', 'opaque'],
      ['output_format', 'jpeg'],
      ['output_compression', '0'],
      ['moderation', 'low'],
      ['input_fidelity', 'high'],
      ['user', 'u-1'],
      ['stream', 'true'],
      ['partial_images', '2'],
      ['image', file],
    ]);
  });

  test('has the model only where the path does not name it', async () => {
    expect(await partsOf({}, undefined, 'my-images')).toEqual([
      ['model', 'my-images'],
      ['prompt', 'a cat'],
      ['image', file],
    ]);
    expect(await partsOf({})).toEqual([
      ['prompt', 'a cat'],
      ['image', file],
    ]);
  });

  test('has one image as `image`, and several, in their order, as `image[]`', async () => {
    const images = ['one', 'second', 'the third'].map((text) => imageInput(Buffer.from(text)));
    expect(await partsOf({}, editInputs(images))).toEqual([
      ['prompt', 'a cat'],
      ['image[]', 'image-1.png (image/png, 3)'],
      ['image[]', 'image-2.png (image/png, 6)'],
      ['image[]', 'image-3.png (image/png, 9)'],
    ]);
  });

  test('has mask and markup behind the images', async () => {
    const overlays = { mask: imageInput(Buffer.from('mask')), markup: imageInput(Buffer.from('drawing')) };
    expect(await partsOf({}, editInputs([image], overlays))).toEqual([
      ['prompt', 'a cat'],
      ['image', file],
      ['mask', 'mask.png (image/png, 4)'],
      ['markup', 'markup.png (image/png, 7)'],
    ]);
  });

  test.each(['image/png', 'image/jpeg', 'image/webp'] as const)('tells %s by type and ending', async (type) => {
    const [, part] = await partsOf({}, editInputs([imageInput(Buffer.from('x'), { type })]));
    expect(part).toEqual(['image', `image-1.${type.slice(6)} (${type}, 1)`]);
  });
});
