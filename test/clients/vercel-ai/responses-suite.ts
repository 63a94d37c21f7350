import { azure, createAzure } from '@ai-sdk/azure';
import { createOpenAI, openai } from '@ai-sdk/openai';
import { generateText, type LanguageModel, streamText } from 'ai';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { expectBase64, inputImage } from '../images.ts';
import { paidOperations, startResponsesRig } from '../responses/response-image.ts';
import type { ResponsesSuite } from '../responses/responses-matrix.ts';
import { expectOnePaid, expectPaid, gatewayKey } from '../rig.ts';
import { expectUploaded } from '../uploads.ts';

type Connect = (url: string, apiKey?: string) => LanguageModel;
type ImageTool = ReturnType<typeof openai.tools.imageGeneration>;
type Results = readonly { readonly toolName: string; readonly output: unknown }[];

/** @param count of all results: the AI SDK takes partial images for results, too */
async function expectImages(results: Results, count: number): Promise<void> {
  expect(results.map(({ toolName }) => toolName)).toEqual(Array(count).fill('image_generation'));
  for (const { output } of results) await expectBase64((output as { result: string }).result, '1024x1536');
}

const options = { size: '1024x1536', quality: 'low', partialImages: 2 } as const;

function checksOf(connect: Connect, image_generation: ImageTool): ResponsesSuite {
  const tools = { image_generation };
  return {
    async create() {
      const rig = await startResponsesRig();
      const result = await generateText({ model: connect(rig.url), prompt: 'a cat', tools });
      await expectImages(result.toolResults, 1);
      expect(result.usage.totalTokens).toBeGreaterThan(0);
      expectOnePaid(rig);
    },
    async options() {
      const rig = await startResponsesRig();
      await generateText({ model: connect(rig.url), prompt: 'a cat', tools });
      expect(rig.paidCalls()[0]?.body).toMatchObject({ prompt: 'a cat', quality: 'low', size: '1024x1536' });
      expectOnePaid(rig);
    },
    async stream() {
      const rig = await startResponsesRig();
      const result = streamText({ model: connect(rig.url), prompt: 'a cat', tools });
      await expectImages((await result.toolResults) as Results, options.partialImages + 1);
      expectOnePaid(rig);
    },
    async turns() {
      const rig = await startResponsesRig();
      const model = connect(rig.url);
      const asked = { role: 'user', content: 'a cat' } as const;
      const { response } = await generateText({ model, messages: [asked], tools });
      const messages = [asked, ...response.messages, { role: 'user', content: 'a hat on it' } as const];
      await expectImages((await generateText({ model, messages, tools })).toolResults, 1);
      expect(paidOperations(rig)).toEqual(['generate', 'edit']);
      expectPaid(rig, { received: 2, billed: 2, images: 2 });
    },
    async inputImage() {
      const rig = await startResponsesRig();
      const made = await inputImage();
      const image = { type: 'file', data: made, mediaType: 'image/png' } as const;
      const content = [{ type: 'text', text: 'a hat on it' } as const, image];
      const result = await generateText({ model: connect(rig.url), messages: [{ role: 'user', content }], tools });
      await expectImages(result.toolResults, 1);
      expectUploaded(rig, [made]);
      expectOnePaid(rig);
    },
    errors: {
      async 'a prompt that moderation refuses'() {
        const rig = await startResponsesRig();
        const prompt = 'simulate:moderation-blocked';
        const error = failure(generateText({ model: connect(rig.url), prompt, tools }));
        expect(await error).toMatchObject({ statusCode: 400, data: { error: { code: 'moderation_blocked' } } });
        expectPaid(rig, { received: 1, billed: 0, images: 0 });
      },
      async 'a wrong key'() {
        const rig = await startResponsesRig();
        const error = failure(generateText({ model: connect(rig.url, 'wrong'), prompt: 'a cat', tools }));
        expect(await error).toMatchObject({ statusCode: 401 });
        expectPaid(rig, { received: 0, billed: 0, images: 0 });
      },
    },
  };
}

/** Checks of the image tool with OpenAI's provider, which names the image model itself. */
export const aiOpenaiResponses = checksOf(
  (url, apiKey = gatewayKey) => createOpenAI({ baseURL: `${url}/v1`, apiKey }).responses('image'),
  openai.tools.imageGeneration(options),
);

/** Azure's package has another copy of the same types. */
const sameTool = (tool: object) => tool as ImageTool;

/** The same with Azure's, which names a chat model, and the image model in a header. */
export const aiAzureResponses = checksOf(
  (url, apiKey = gatewayKey) => {
    const headers = { 'x-ms-oai-image-generation-deployment': 'gpt-image-1' };
    return createAzure({ baseURL: `${url}/openai`, apiKey, headers }).responses('gpt-5.5');
  },
  sameTool(azure.tools.imageGeneration(options)),
);
