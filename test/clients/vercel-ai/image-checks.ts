import { APICallError, generateImage, type ImageModel, RetryError } from 'ai';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { expectImage, inputImage, inputMask } from '../images.ts';
import { awkwardNames, expectOnePaid, expectPaid, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import { billedOnceChecks } from './billed-once-checks.ts';

/** One provider of the AI SDK. */
export type Provider = {
  model(url: string, name: string, apiKey?: string): ImageModel;
  /** Low quality, JPEG and the user `somebody`, in this provider's options. */
  readonly options: Record<string, Record<string, string>>;
  /** How many images it requests in one call, by the model's name. */
  readonly imagesPerCall: Readonly<Record<string, number>>;
};

/** Checks of `generateImage` with one provider. */
export function imageChecks({ model, options, imagesPerCall }: Provider) {
  async function checkEdit(images: readonly Buffer[], mask?: Buffer) {
    const rig = await startRig();
    const { image } = await generateImage({
      model: model(rig.url, 'image'),
      prompt: { images: [...images], text: 'put a hat on it', ...(mask && { mask }) },
      size: '1536x1024',
      providerOptions: options,
    });
    await expectImage(image.uint8Array, '1536x1024', 'jpeg');
    expectUploaded(rig, images, mask);
    expectOnePaid(rig);
  }

  async function checkName(name: string) {
    const rig = await startRig();
    const { image } = await generateImage({ model: model(rig.url, name), prompt: 'a cat' });
    await expectImage(image.uint8Array, '1024x1024');
    expectOnePaid(rig);
  }

  return {
    async base64() {
      const rig = await startRig();
      const { image } = await generateImage({
        model: model(rig.url, 'image'),
        prompt: 'a cat',
        size: '1536x1024',
      });
      expect(image.mediaType).toBe('image/png');
      await expectImage(image.uint8Array, '1536x1024');
      expectOnePaid(rig);
    },

    several: Object.fromEntries(
      Object.entries(imagesPerCall).map(([name, most]) => [
        `of ${name}`,
        async () => {
          const rig = await startRig();
          const { images } = await generateImage({ model: model(rig.url, name), prompt: 'a cat', n: 3 });
          expect(images).toHaveLength(3);
          for (const { uint8Array } of images) await expectImage(uint8Array, '1024x1024');
          const billed = Math.ceil(3 / most);
          expectPaid(rig, { received: billed, billed, images: 3 });
        },
      ]),
    ),

    async options() {
      const rig = await startRig();
      const { image } = await generateImage({
        model: model(rig.url, 'image'),
        prompt: 'a cat',
        providerOptions: options,
      });
      expect(image.mediaType).toBe('image/jpeg');
      await expectImage(image.uint8Array, '1024x1024', 'jpeg');
      expect(rig.paidCalls()[0]?.body).toMatchObject({ quality: 'low', output_format: 'jpeg', user: 'somebody' });
      expectOnePaid(rig);
    },

    edit: async () => checkEdit([await inputImage()]),
    editSeveral: async () => checkEdit([await inputImage('teal'), await inputImage('coral')]),
    mask: async () => checkEdit([await inputImage()], await inputMask()),

    errors: {
      async 'a refused value, with the gateway’s message'() {
        const rig = await startRig();
        const error = await failure(generateImage({ model: model(rig.url, 'image'), prompt: 'a cat', size: '17x17' }));
        expect(APICallError.isInstance(error)).toBe(true);
        expect(error).toMatchObject({ statusCode: 400, message: expect.stringContaining('size') });
        expectPaid(rig, { received: 0, billed: 0, images: 0 });
      },
      async 'a wrong key'() {
        const rig = await startRig();
        const error = await failure(generateImage({ model: model(rig.url, 'image', 'wrong'), prompt: 'a cat' }));
        expect(error).toMatchObject({ statusCode: 401, message: expect.stringContaining('key') });
      },
      async 'a model that does not exist'() {
        const rig = await startRig();
        const error = await failure(generateImage({ model: model(rig.url, 'nobody'), prompt: 'a cat' }));
        expect(error).toMatchObject({ statusCode: 404, message: expect.stringContaining('nobody') });
      },
      async 'a prompt that moderation refuses'() {
        const rig = await startRig();
        const call = generateImage({ model: model(rig.url, 'image'), prompt: 'simulate:moderation-blocked' });
        expect(await failure(call)).toMatchObject({ statusCode: 400, isRetryable: false });
        expectPaid(rig, { received: 1, billed: 0, images: 0 });
      },
      async 'too many requests, after its retries'() {
        const rig = await startRig();
        const call = generateImage({ model: model(rig.url, 'image'), prompt: 'simulate:429-ms-20' });
        const error = await failure(call);
        expect(RetryError.isInstance(error)).toBe(true);
        expect((error as RetryError).lastError).toMatchObject({ statusCode: 429 });
        expect(rig.simulator.ledger.counts().billed).toBe(0);
      },
    } satisfies Suite['errors'],

    async abort() {
      const rig = await startRig({ lingerMs: 100 });
      const controller = new AbortController();
      const call = generateImage({
        model: model(rig.url, 'image'),
        prompt: 'simulate:hang',
        abortSignal: controller.signal,
      });
      const failed = failure(call);
      await expect.poll(() => rig.simulator.ledger.received).toBe(1);
      controller.abort();
      expect((await failed).name).toBe('AbortError');
      await expect.poll(() => rig.inFlight()).toBe(0);
      expect(rig.simulator.ledger.received).toBe(1);
    },

    billedOnce: billedOnceChecks(model),

    addresses: Object.fromEntries(awkwardNames.map((name) => [`the name ${name}`, () => checkName(name)])),
  };
}
