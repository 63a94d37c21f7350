import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { ResponseBody } from '../helpers/call-gateway.ts';
import { type Demo, startDemo } from './start-demo.ts';

const picture = (format: 'png' | 'webp' | 'gif') =>
  sharp({ create: { width: 800, height: 1200, channels: 3, background: '#f00' } })
    .toFormat(format)
    .toBuffer();

type Response = { status: number; adapted: string | null; body: ResponseBody };

async function send({ url }: Demo, path: string, body: FormData | object): Promise<Response> {
  const isForm = body instanceof FormData;
  const headers = { authorization: 'Bearer demo-key', ...(!isForm && { 'content-type': 'application/json' }) };
  const response = await fetch(`${url}/v1/images/${path}`, {
    method: 'POST',
    headers,
    body: isForm ? body : JSON.stringify(body),
  });
  const adapted = response.headers.get('x-gateway-adapted');
  return { status: response.status, adapted, body: (await response.json()) as ResponseBody };
}

function form(fields: Record<string, string>, files: readonly Buffer[]): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  for (const file of files) data.append('image[]', new Blob([new Uint8Array(file)]), 'image');
  return data;
}

async function facts({ body }: Response): Promise<string> {
  const image = Buffer.from(body.data[0]?.b64_json ?? '', 'base64');
  const { format, width, height } = await sharp(image).metadata();
  return `${format} ${width}x${height}`;
}

const billedImages = ({ simulator }: Demo) => simulator.ledger.counts().images;

describe('MAI-Image', () => {
  test('gets the size that was asked for, and makes as many images in calls of one', async () => {
    const demo = await startDemo();
    const response = await send(demo, 'generations', { model: 'mai-image', prompt: 'a', size: '768x1536', n: 3 });
    expect([response.status, response.adapted, response.body.data.length]).toEqual([200, 'n=fan-out', 3]);
    expect(await facts(response)).toBe('png 768x1536');
    expect(response.body.usage).toMatchObject({ output_tokens: 3456, input_tokens_details: { text_tokens: 3 } });
  });

  test('edits a WebP and a GIF, which it does not take itself, into a WebP, which it does not make', async () => {
    const demo = await startDemo();
    const fields = { model: 'mai-image', prompt: 'a hat', output_format: 'webp', size: '1024x1024' };
    const response = await send(demo, 'edits', form(fields, [await picture('webp'), await picture('gif')]));
    expect(response.adapted?.split(', ').toSorted()).toEqual([
      ...['image=gif>png', 'image=webp>png', 'output_format=png>webp', 'size=removed'],
    ]);
    expect(await facts(response)).toBe('webp 800x1200');
  });

  test.each([
    ['an edge off the grid', { size: '1000x1000' }, 'size'],
    ['an edge below the minimum', { size: '512x1024' }, 'size'],
    ['a search of the web', { web_grounding: true }, 'web_grounding'],
    ['a negative prompt', { negative_prompt: 'dogs' }, 'negative_prompt'],
  ])('%s is a 400 that names it, and nothing is paid for', async (_name, asked, param) => {
    const demo = await startDemo();
    const { status, body } = await send(demo, 'generations', { model: 'mai-image', prompt: 'a', ...asked });
    expect([status, body.error.param, billedImages(demo)]).toEqual([400, param, 0]);
  });
});

describe('FLUX', () => {
  test('edits eight images, and nine are refused before anything is paid for', async () => {
    const demo = await startDemo();
    const png = await picture('png');
    const fields = { model: 'flux', prompt: 'a hat', size: '640x480', seed: '7' };
    const eight = await send(demo, 'edits', form(fields, Array(8).fill(png)));
    expect([eight.status, eight.adapted, await facts(eight)]).toEqual([200, null, 'jpeg 640x480']);
    const nine = await send(demo, 'edits', form(fields, Array(9).fill(png)));
    expect([nine.status, nine.body.error.param, billedImages(demo)]).toEqual([400, 'image', 1]);
  });

  test('a mask is refused by name', async () => {
    const demo = await startDemo();
    const data = form({ model: 'flux', prompt: 'a hat' }, [await picture('png')]);
    const mask = await sharp({ create: { width: 800, height: 1200, channels: 4, background: '#0000' } })
      .png()
      .toBuffer();
    data.append('mask', new Blob([new Uint8Array(mask)]), 'mask.png');
    const { status, body } = await send(demo, 'edits', data);
    expect([status, body.error.param, billedImages(demo)]).toEqual([400, 'mask', 0]);
  });
});
