import type { ResponseCreateParamsNonStreaming } from 'openai7/resources/responses/responses';
import { expect } from 'vitest';
import { inputImage } from '../images.ts';
import type { Sdk } from '../openai/sdk.ts';
import { expectOnePaid, expectPaid, startRig } from '../rig.ts';
import { expectUploaded } from '../uploads.ts';
import { expectImageIn, paidOperations, startResponsesRig } from './response-image.ts';
import type { ResponsesSuite } from './responses-matrix.ts';

const asked = { model: 'image', input: 'a cat' } as const;

/** Checks of `responses.create`. */
export function createChecks({ connect }: Pick<Sdk, 'connect'>) {
  return {
    create: {
      async 'from a text'() {
        const rig = await startResponsesRig();
        const response = await connect(rig.url).responses.create(asked);
        expect(await expectImageIn(response)).toMatchObject({ action: 'generate' });
        expect(response).toMatchObject({ model: 'image', output_text: '', store: true, background: false, tools: [] });
        expect(response.usage?.total_tokens).toBeGreaterThan(0);
        expectOnePaid(rig);
      },
      async 'without a directory for jobs'() {
        const rig = await startRig();
        await expectImageIn(await connect(rig.url).responses.create(asked));
        expectOnePaid(rig);
      },
      async 'of a chat model whose tool names the image model'() {
        const rig = await startResponsesRig();
        const tools = [{ type: 'image_generation', model: 'gpt-image-1' }] as const;
        const request = { model: 'gpt-5.5', input: 'a cat', tools: [...tools] };
        const { data, response } = await connect(rig.url).responses.create(request).withResponse();
        await expectImageIn(data);
        expect(response.headers.get('x-gateway-adapted')).toBe('model=ignored');
        expect(data).toMatchObject({ model: 'image', tools });
        expectOnePaid(rig);
      },
    },

    async options() {
      const rig = await startResponsesRig();
      const tool = {
        type: 'image_generation',
        size: '1024x1536',
        quality: 'low',
        output_format: 'jpeg',
        output_compression: 50,
        background: 'opaque',
        moderation: 'low',
      } as const;
      const repeated: Omit<ResponseCreateParamsNonStreaming, 'input'> = {
        model: 'image',
        instructions: 'Draw in ink.',
        tools: [tool],
        tool_choice: { type: 'image_generation' },
        metadata: { order: '4711' },
        user: 'somebody',
        temperature: 1,
      };
      const request = { ...repeated, input: 'a cat' };
      const { data, response } = await connect(rig.url).responses.create(request).withResponse();
      const call = await expectImageIn(data, '1024x1536', 'jpeg');
      expect(call).toMatchObject({ size: '1024x1536', quality: 'low', background: 'opaque' });
      expect(response.headers.get('x-gateway-adapted')).toBe('temperature=ignored');
      expect(data).toMatchObject(repeated);
      const sent = { quality: 'low', output_compression: 50, user: 'somebody' };
      expect(rig.paidCalls()[0]?.body).toMatchObject({ prompt: 'Draw in ink.\n\na cat', ...sent });
      expectOnePaid(rig);
    },

    turns: {
      async 'by previous_response_id'() {
        const rig = await startResponsesRig();
        const { responses } = connect(rig.url);
        const first = await responses.create(asked);
        const hat = await responses.create({ model: 'image', previous_response_id: first.id, input: 'a hat on it' });
        const red = await responses.create({ model: 'image', previous_response_id: hat.id, input: 'make it red' });
        for (const response of [hat, red]) expect(await expectImageIn(response)).toMatchObject({ action: 'edit' });
        expect([hat, red].map((response) => response.previous_response_id)).toEqual([first.id, hat.id]);
        expect(paidOperations(rig)).toEqual(['generate', 'edit', 'edit']);
        expectPaid(rig, { received: 3, billed: 3, images: 3 });
      },
      async 'with the whole output among the input'() {
        const rig = await startResponsesRig();
        const { responses } = connect(rig.url);
        const { output } = await responses.create(asked);
        const input = [{ role: 'user', content: 'a cat' }, ...output, { role: 'user', content: 'a hat on it' }];
        const second = await responses.create({ model: 'image', input: input as never });
        expect(await expectImageIn(second)).toMatchObject({ action: 'edit' });
        expect(paidOperations(rig)).toEqual(['generate', 'edit']);
        expectPaid(rig, { received: 2, billed: 2, images: 2 });
      },
      async 'with the id of the call alone'() {
        const rig = await startResponsesRig();
        const { responses } = connect(rig.url);
        const { id } = await expectImageIn(await responses.create(asked));
        const item = { type: 'image_generation_call', id };
        const input = [item, { role: 'user', content: 'a hat on it' }];
        const second = await responses.create({ model: 'image', input: input as never });
        expect(await expectImageIn(second)).toMatchObject({ action: 'edit' });
        expectPaid(rig, { received: 2, billed: 2, images: 2 });
      },
      async 'from another gateway, whose image comes as result'() {
        const rig = await startResponsesRig();
        const made = await inputImage();
        const item = { type: 'image_generation_call', id: 'ig_elsewhere', status: 'completed' } as const;
        const second = await connect(rig.url).responses.create({
          model: 'image',
          input: [
            { ...item, result: made.toString('base64') },
            { role: 'user', content: 'a hat on it' },
          ],
        });
        expect(await expectImageIn(second)).toMatchObject({ action: 'edit' });
        expectUploaded(rig, [made]);
        expectOnePaid(rig);
      },
    },

    async inputImage() {
      const rig = await startResponsesRig();
      const madeImages = await Promise.all(['teal', 'coral'].map((colour) => inputImage(colour)));
      const images = madeImages.map((bytes) => ({
        type: 'input_image' as const,
        image_url: `data:image/png;base64,${bytes.toString('base64')}`,
        detail: 'auto' as const,
      }));
      const content = [{ type: 'input_text' as const, text: 'put one beside the other' }, ...images];
      const response = await connect(rig.url).responses.create({ model: 'image', input: [{ role: 'user', content }] });
      expect(await expectImageIn(response)).toMatchObject({ action: 'edit' });
      expectUploaded(rig, madeImages);
      expectOnePaid(rig);
    },
  } satisfies ResponsesSuite;
}
