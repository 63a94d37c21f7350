import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { opaqueHeic, rotatedHeic, transparentHeic } from '../fixtures/heic.ts';
import { formHeaders } from '../simulator/write-form.ts';
import {
  dataUrl,
  type EditsRig,
  editForm,
  expectError,
  expectNothingLeft,
  file,
  overlay,
  pngImage,
  post,
  postJson,
  receivedForms,
  startEdits,
  temporaryDirectory,
} from './edits.ts';

/** A deployment whose edits take no WebP. */
const withoutWebp = { modelKeys: { capabilities: { inputTypes: ['image/png', 'image/jpeg'] } } };

/** What a two-coloured image is as a file of this type. */
function imageAs(type: 'webp' | 'gif' | 'avif' | 'jpeg'): Promise<Buffer> {
  const create = { width: 64, height: 64, channels: 3, background: 'teal' } as const;
  return sharp({ create }).toFormat(type).toBuffer();
}

/** The media types of the images that the simulator has received in its last form. */
function sentTypes(rig: EditsRig): readonly string[] {
  return (
    receivedForms(rig)
      .at(-1)
      ?.files.map(({ contentType }) => contentType) ?? []
  );
}

describe('an image that the family does not take', () => {
  test.each([
    ['webp', async () => imageAs('webp'), 'image=webp>png', 'image/png'],
    ['gif', async () => imageAs('gif'), 'image=gif>png', 'image/png'],
    ['avif', async () => imageAs('avif'), 'image=avif>jpeg', 'image/jpeg'],
    ['heic', async () => opaqueHeic, 'image=heic>jpeg', 'image/jpeg'],
    ['transparent heic', async () => transparentHeic, 'image=heic>png', 'image/png'],
  ] as const)('as %s is converted, and that is reported', async (_name, make, adaptation, type) => {
    const rig = await startEdits(withoutWebp);
    const response = await post(rig.url, editForm([file('image', await make())]));
    expect([response.status, response.headers.get('x-gateway-adapted')]).toEqual([200, adaptation]);
    expect(sentTypes(rig)).toEqual([type]);
    await expectNothingLeft(rig);
  });

  test('is converted in a JSON body, too, beside one that it takes', async () => {
    const rig = await startEdits(withoutWebp);
    const images = [dataUrl(await pngImage()), dataUrl(await imageAs('webp'), 'image/webp')];
    const response = await postJson(rig.url, {
      prompt: 'a hat',
      images: images.map((image_url) => ({ image_url })),
    });
    expect([response.status, response.headers.get('x-gateway-adapted')]).toEqual([200, 'image=webp>png']);
    expect(sentTypes(rig)).toEqual(['image/png', 'image/png']);
  });

  test('is converted with a mask, which fits it', async () => {
    const rig = await startEdits(withoutWebp);
    const form = editForm([file('image', await imageAs('webp')), file('mask', await overlay())]);
    expect((await post(rig.url, form)).status).toBe(200);
    expect(sentTypes(rig)).toEqual(['image/png', 'image/png']);
  });

  test('as HEIC takes a mask that is as large as the photo is upright', async () => {
    const rig = await startEdits(withoutWebp);
    const mask = (width: number, height: number) =>
      sharp({ create: { width, height, channels: 4, background: '#00000000' } })
        .png()
        .toBuffer();
    const send = async (image: Buffer, width: number, height: number) =>
      post(rig.url, editForm([file('image', image), file('mask', await mask(width, height))]));
    expect((await send(opaqueHeic, 64, 48)).status).toBe(200);
    expect((await send(rotatedHeic, 48, 64)).status).toBe(200);
    await expectError(await send(rotatedHeic, 64, 48), 400, 'invalid_image_file', 'mask');
    await expectNothingLeft(rig);
  });

  test('is converted once for all calls of a request, retries included', async () => {
    const rig = await startEdits({ modelKeys: { ...withoutWebp.modelKeys, maxRetries: 2 } });
    const form = editForm([file('image', await imageAs('webp'))], { n: '2', stream: 'true' });
    const response = await post(rig.url, form);
    expect(response.status).toBe(200);
    const sent = receivedForms(rig).flatMap(({ files }) => files);
    expect(sent).toHaveLength(2);
    expect(new Set(sent.map(({ sha256 }) => sha256)).size).toBe(1);
    await expectNothingLeft(rig);
  });

  test('is converted for a job that waits in the background', async () => {
    const rig = await startEdits({ ...withoutWebp, dataDir: await temporaryDirectory() });
    const form = editForm([file('image', await imageAs('gif'))]);
    const response = await post(rig.url, form, { ...formHeaders, prefer: 'respond-async' });
    expect(response.status).toBe(202);
    await expect.poll(() => sentTypes(rig)).toEqual(['image/png']);
  });

  test('is refused under strict, with what it takes', async () => {
    const rig = await startEdits({ modelKeys: { parameters: 'strict' } });
    const response = await post(rig.url, editForm([file('image', await imageAs('gif'))]));
    expectError(response, 400, 'invalid_image_file', 'image');
    expect(response.json().error.message).toContain('image/png, image/jpeg, image/webp');
    expect(receivedForms(rig)).toEqual([]);
  });

  test('is refused without the package sharp, with what the operator can do', async () => {
    const rig = await startEdits({ sharp: 'unused' });
    const response = await post(rig.url, editForm([file('image', await imageAs('gif'))]));
    expectError(response, 400, 'invalid_image_file', 'image');
    expect(response.json().error.message).toContain('sharp');
    expect(receivedForms(rig)).toEqual([]);
  });
});
