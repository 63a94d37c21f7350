import { expect } from 'vitest';
import { expectBase64, expectLink } from '../images.ts';
import { expectOnePaid, expectPaid, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { collect } from './collect.ts';
import type { Sdk } from './sdk.ts';

/** Checks of `images.generate`. */
export function generationChecks({ connect, streams }: Sdk) {
  const checks = {
    async base64() {
      const rig = await startRig();
      const request = { model: 'image', prompt: 'a cat', size: '1536x1024' } as const;
      const response = await connect(rig.url).images.generate(request);
      await expectBase64(response.data?.[0]?.b64_json, '1536x1024');
      expect(response.usage?.total_tokens).toBeGreaterThan(0);
      expectOnePaid(rig);
    },

    url: {
      async 'of gpt-image, hosted by the gateway'() {
        const rig = await startRig();
        const request = { model: 'image', prompt: 'a cat', response_format: 'url' } as const;
        const response = await connect(rig.url).images.generate(request);
        expect(response.data?.[0]?.url?.startsWith(rig.url)).toBe(true);
        await expectLink(response.data?.[0]?.url, '1024x1024');
        expectOnePaid(rig);
      },
      async 'of dall-e-3, its own'() {
        const rig = await startRig();
        const response = await connect(rig.url).images.generate({ model: 'dall-e-3', prompt: 'a cat' });
        await expectLink(response.data?.[0]?.url, '1024x1024');
        expectOnePaid(rig);
      },
    },

    several: {
      async 'of gpt-image, in one call'() {
        const rig = await startRig();
        const response = await connect(rig.url).images.generate({ model: 'image', prompt: 'a cat', n: 3 });
        expect(response.data).toHaveLength(3);
        for (const { b64_json } of response.data ?? []) await expectBase64(b64_json, '1024x1024');
        expectPaid(rig, { received: 1, billed: 1, images: 3 });
      },
      async 'of dall-e-3, in three calls'() {
        const rig = await startRig();
        const request = { model: 'dall-e-3', prompt: 'a cat', n: 3, response_format: 'b64_json' } as const;
        const response = await connect(rig.url).images.generate(request);
        expect(response.data).toHaveLength(3);
        for (const { b64_json } of response.data ?? []) await expectBase64(b64_json, '1024x1024');
        expectPaid(rig, { received: 3, billed: 3, images: 3 });
      },
    },

    async options() {
      const rig = await startRig();
      const response = await connect(rig.url).images.generate({
        model: 'image',
        prompt: 'a cat',
        size: '1024x1536',
        quality: 'low',
        output_format: 'jpeg',
        output_compression: 50,
        background: 'opaque',
        moderation: 'low',
        user: 'somebody',
      });
      await expectBase64(response.data?.[0]?.b64_json, '1024x1536', 'jpeg');
      expect(rig.paidCalls()[0]?.body).toMatchObject({ quality: 'low', output_compression: 50, user: 'somebody' });
      expectOnePaid(rig);
    },
  } satisfies Suite;
  return streams ? { ...checks, stream: () => checkStream(connect) } : checks;
}

async function checkStream(connect: Sdk['connect']): Promise<void> {
  const rig = await startRig();
  const request = { model: 'image', prompt: 'a cat', stream: true, partial_images: 2 } as const;
  const events = await collect(await connect(rig.url).images.generate(request));
  expect(events.map(({ type }) => type)).toEqual([
    'image_generation.partial_image',
    'image_generation.partial_image',
    'image_generation.completed',
  ]);
  for (const { b64_json } of events) await expectBase64(b64_json, '1024x1024');
  expectOnePaid(rig);
}
