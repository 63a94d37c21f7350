import OpenAI, { BadRequestError, InternalServerError, toFile } from 'openai';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { startAgents } from './agent-rig.ts';

const clientOf = (url: string) => new OpenAI({ apiKey: gatewayKey, baseURL: `${url}/v1` });
const decode = (base64: string | undefined) => Buffer.from(base64 ?? '', 'base64');

async function dimensions(base64: string | undefined): Promise<string> {
  const { width, height } = await sharp(decode(base64)).metadata();
  return `${width}x${height}`;
}

const red = await sharp({ create: { width: 64, height: 64, channels: 4, background: 'red' } })
  .png()
  .toBuffer();
const hole = await sharp({ create: { width: 64, height: 64, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } })
  .png()
  .toBuffer();
const png = (bytes: Buffer, name: string) => toFile(bytes, name, { type: 'image/png' });

describe('the openai package in front of an agent', () => {
  test.each(['artist', 'live', 'later'])(
    '%s: images of the size that was requested, and what was made',
    async (model) => {
      const { url } = await startAgents();
      const request = { model, prompt: 'a cat', n: 2, size: '1536x1024', quality: 'low' } as const;
      const response = await clientOf(url).images.generate(request);
      const { size, quality, output_format, background, usage } = response;
      expect(await Promise.all((response.data ?? []).map(({ b64_json }) => dimensions(b64_json)))).toEqual([
        size,
        size,
      ]);
      expect({ size, quality, output_format, background, usage }).toEqual({
        size: '1536x1024',
        quality: 'low',
        output_format: 'png',
        background: 'opaque',
        usage: undefined,
      });
      expect(response.data?.[0]?.revised_prompt).toContain('a cat');
      expect(Math.abs(response.created - Date.now() / 1000)).toBeLessThan(600);
    },
  );

  test('response_format url: a link of the gateway’s is refused where none are hosted, by name', async () => {
    const { url } = await startAgents();
    const call = clientOf(url).images.generate({ model: 'artist', prompt: 'a cat', response_format: 'url' });
    await expect(call).rejects.toMatchObject({ status: 400, param: 'response_format' });
  });

  test('partials where they are switched on, and the image', async () => {
    const { url } = await startAgents();
    const request = { model: 'live', prompt: 'a cat', stream: true, partial_images: 2 } as const;
    const seen: [string, string][] = [];
    for await (const event of await clientOf(url).images.generate(request)) {
      seen.push([event.type, await dimensions('b64_json' in event ? event.b64_json : undefined)]);
    }
    expect(seen).toEqual([
      ['image_generation.partial_image', '1024x1024'],
      ['image_generation.partial_image', '1024x1024'],
      ['image_generation.completed', '1024x1024'],
    ]);
  });

  test.each(['artist', 'later'])('%s, which does not stream: one completed event', async (model) => {
    const { url } = await startAgents();
    const request = { model, prompt: 'a cat', stream: true, partial_images: 2 } as const;
    const seen: string[] = [];
    for await (const event of await clientOf(url).images.generate(request)) seen.push(event.type);
    expect(seen).toEqual(['image_generation.completed']);
  });

  test.each(['artist', 'later'])('%s: an edit with two images and a mask', async (model) => {
    const { url, simulator } = await startAgents();
    const response = await clientOf(url).images.edit({
      model,
      image: [await png(red, 'one.png'), await png(red, 'two.png')],
      mask: await png(hole, 'mask.png'),
      prompt: 'a hat',
    });
    expect(await dimensions(response.data?.[0]?.b64_json)).toBe('1024x1024');
    expect(simulator.ledger.counts().billedByOperation).toEqual({ edit: 1 });
  });

  test('an edit as a stream has its own events', async () => {
    const { url } = await startAgents();
    const image = await png(red, 'one.png');
    const request = { model: 'live', image, prompt: 'a hat', stream: true, partial_images: 1 } as const;
    const seen: string[] = [];
    for await (const event of await clientOf(url).images.edit(request)) seen.push(event.type);
    expect(seen).toEqual(['image_edit.partial_image', 'image_edit.completed']);
  });

  test('an image that is too long for the target is refused by name, and nothing is bought', async () => {
    const { url, requests } = await startAgents({ targetKeys: { maxInlineImageChars: 1000 } });
    const noise = await sharp({
      create: {
        width: 64,
        height: 64,
        channels: 3,
        background: 'red',
        noise: { type: 'gaussian', mean: 99, sigma: 60 },
      },
    })
      .png()
      .toBuffer();
    const call = clientOf(url).images.edit({ model: 'artist', image: await png(noise, 'noise.png'), prompt: 'a hat' });
    await expect(call).rejects.toThrow(BadRequestError);
    await expect(call).rejects.toMatchObject({ param: 'image', code: 'invalid_value' });
    expect(requests('POST')).toEqual([]);
  });

  test('words instead of an image: one call at default settings', async () => {
    const { url, requests } = await startAgents({ targetKeys: { maxRetries: 2 } });
    const call = clientOf(url).images.generate({ model: 'artist', prompt: 'simulate:agent-text-only' });
    await expect(call).rejects.toThrow(InternalServerError);
    await expect(call).rejects.toMatchObject({ status: 502, code: 'upstream_no_image' });
    expect(requests('POST')).toHaveLength(1);
  });

  test('parameters that the tool does not have are refused, or satisfied by the gateway', async () => {
    const { url, requests } = await startAgents();
    const client = clientOf(url);
    await client.images.generate({ model: 'artist', prompt: 'a cat', seed: 7 } as never);
    const { data } = await client.images.generate({ model: 'artist', prompt: 'a cat', style: 'vivid', user: 'me' });
    expect(data).toHaveLength(1);
    expect(requests('POST').map(({ body }) => (body as { user?: string }).user)).toEqual([undefined, 'me']);
  });
});
