import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImagesResponse } from 'openai7/resources/images';
import { expect } from 'vitest';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { expectBase64, expectLink, inputImage, inputMask } from '../images.ts';
import { expectOnePaid, expectPaid, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import { collect } from './collect.ts';
import type { Sdk } from './sdk.ts';

const wanted = { model: 'image', prompt: 'put a hat on it' } as const;

/** Checks of `images.edit`. */
export function editChecks({ package: { toFile }, connect, streams }: Sdk) {
  const fileOf = (bytes: Buffer, name = 'teal.png') => toFile(bytes, name, { type: 'image/png' });
  const checks = {
    edit: {
      async 'one image'() {
        const rig = await startRig();
        const made = await inputImage();
        const request = { ...wanted, image: await fileOf(made), size: '1536x1024', quality: 'low' } as const;
        const response = await connect(rig.url).images.edit(request);
        await expectBase64(response.data?.[0]?.b64_json, '1536x1024');
        expect(response.usage?.total_tokens).toBeGreaterThan(0);
        expectUploaded(rig, [made]);
        expectOnePaid(rig);
      },
      async 'as a link'() {
        const rig = await startRig();
        const image = await fileOf(await inputImage());
        const response = await connect(rig.url).images.edit({ ...wanted, image, response_format: 'url' });
        await expectLink(response.data?.[0]?.url, '1024x1024');
        expectOnePaid(rig);
      },
      async 'three images of it'() {
        const rig = await startRig();
        const image = await fileOf(await inputImage());
        const response = await connect(rig.url).images.edit({ ...wanted, image, n: 3 });
        expect(response.data).toHaveLength(3);
        expectPaid(rig, { received: 1, billed: 1, images: 3 });
      },
      async 'as JSON, with the image in a data URL'() {
        const rig = await startRig();
        const made = await inputImage();
        const images = [{ image_url: `data:image/png;base64,${made.toString('base64')}` }];
        const response = await connect(rig.url).post<ImagesResponse>('/images/edits', {
          body: { ...wanted, images },
        });
        await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
        expectUploaded(rig, [made]);
        expectOnePaid(rig);
      },
    },

    async editSeveral() {
      const rig = await startRig();
      const madeImages = await Promise.all(['teal', 'coral', 'gold'].map((colour) => inputImage(colour)));
      const image = await Promise.all(madeImages.map((bytes, index) => fileOf(bytes, `${index}.png`)));
      const response = await connect(rig.url).images.edit({ ...wanted, image });
      await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
      expectUploaded(rig, madeImages);
      expectOnePaid(rig);
    },

    async mask() {
      const rig = await startRig();
      const [made, mask] = await Promise.all([inputImage(), inputMask()]);
      const files = { image: await fileOf(made), mask: await fileOf(mask, 'mask.png') };
      const response = await connect(rig.url).images.edit({ ...wanted, ...files });
      await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
      expectUploaded(rig, [made], mask);
      expectOnePaid(rig);
    },

    async editFile() {
      const rig = await startRig();
      const made = await inputImage();
      const path = join(await temporaryDirectory(), 'teal.png');
      await writeFile(path, made);
      const response = await connect(rig.url).images.edit({ ...wanted, image: createReadStream(path) });
      await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
      expectUploaded(rig, [made]);
      expectOnePaid(rig);
    },
  } satisfies Suite;

  async function editStream() {
    const rig = await startRig();
    const made = await inputImage();
    const request = { ...wanted, image: await fileOf(made), stream: true, partial_images: 2 } as const;
    const events = await collect(await connect(rig.url).images.edit(request));
    expect(events.map(({ type }) => type)).toEqual([
      'image_edit.partial_image',
      'image_edit.partial_image',
      'image_edit.completed',
    ]);
    for (const { b64_json } of events) await expectBase64(b64_json, '1024x1024');
    expectUploaded(rig, [made]);
    expectOnePaid(rig);
  }
  return streams ? { ...checks, editStream } : checks;
}
