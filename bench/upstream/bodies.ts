import { randomBytes } from 'node:crypto';
import type { Scenario } from '../scenario.ts';
import { noisyPng } from './noisy-png.ts';

/** The beginning of every PNG file, and of its first chunk for 1024 x 1024 pixels. */
const pngHeader = Buffer.from('89504e470d0a1a0a0000000d49484452000004000000040008020000', 'hex');

const usage = {
  input_tokens: 12,
  input_tokens_details: { image_tokens: 0, text_tokens: 12 },
  output_tokens: 4160,
  total_tokens: 4172,
};

/** A file that begins as a PNG does, and whose rest cannot be compressed. */
export function imageFile(bytes: number): Buffer {
  return Buffer.concat([pngHeader, randomBytes(Math.max(0, bytes - pngHeader.length))]);
}

/** The response of the Images API, as Azure's deployments send it. */
export function imageAnswer({ kind, bytes }: Scenario): Buffer {
  const facts = { background: 'opaque', output_format: 'png', quality: 'high', size: '1024x1024' };
  const file = kind === 'png' ? noisyPng(bytes) : imageFile(bytes);
  const data = [{ b64_json: file.toString('base64') }];
  return Buffer.from(JSON.stringify({ created: 1_750_000_000, ...facts, data, usage }));
}

/** The same with the image's address. */
export function linkAnswer({ bytes }: Scenario, origin: string): Buffer {
  const data = [{ revised_prompt: 'a cat', url: `${origin}/files/${bytes}` }];
  return Buffer.from(JSON.stringify({ created: 1_750_000_000, data }));
}

/** Three partial images and the final one, each as one event. */
export function imageEvents({ bytes }: Scenario): readonly Buffer[] {
  const facts = { background: 'opaque', created_at: 1_750_000_000, output_format: 'png', quality: 'high' };
  const b64_json = imageFile(bytes).toString('base64');
  const event = (type: string, more: object) =>
    Buffer.from(
      `event: ${type}\ndata: ${JSON.stringify({ type, b64_json, size: '1024x1024', ...facts, ...more })}\n\n`,
    );
  return [
    ...[0, 1, 2].map((index) => event('image_generation.partial_image', { partial_image_index: index })),
    event('image_generation.completed', { usage }),
  ];
}
