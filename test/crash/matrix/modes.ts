import { randomBytes } from 'node:crypto';
import sharp from 'sharp';
import { chatTarget, modelsFile } from '../../end-to-end/rig.ts';
import type { Exchange, Held } from './holding-relay.ts';

/** How an upstream is spoken to, and what its clients want. */
export const modes = ['deployment', 'v1', 'legacy', 'background', 'stream', 'edit', 'fan-out'] as const;

export type Mode = (typeof modes)[number];

/** Modes whose accepted work has a handle, by which another process can follow it. */
export function hasHandle(mode: Mode): boolean {
  return mode === 'legacy' || mode === 'background';
}

/** How many paid calls a request of this mode makes. */
export function legsOf(mode: Mode): number {
  return mode === 'fan-out' ? 2 : 1;
}

/** A models file with a model for each mode. */
export function modelsOf(origin: string, more: { readonly limits?: object; readonly keys?: object } = {}): object {
  const file = modelsFile(origin, 60_000, { ...more.keys }) as { limits: object; models: Record<string, object> };
  const later = chatTarget(origin, { timeoutMs: 60_000, maxRetries: 0, background: true, ...more.keys });
  return { ...file, limits: { ...file.limits, ...more.limits }, models: { ...file.models, later } };
}

/** What is sent to the gateway. */
export type Call = { readonly path: string; readonly type: string; readonly body: Buffer };

const parameters: Readonly<Record<Exclude<Mode, 'edit'>, object>> = {
  deployment: { model: 'image' },
  v1: { model: 'studio/poster' },
  legacy: { model: 'dall-e-2', size: '256x256', response_format: 'b64_json' },
  background: { model: 'later' },
  stream: { model: 'image', stream: true, partial_images: 1 },
  'fan-out': { model: 'dall-e-3', n: 2, response_format: 'b64_json' },
};

/** An image to edit. */
const inputImage = await sharp({ create: { width: 64, height: 64, channels: 4, background: 'teal' } })
  .png()
  .toBuffer();

/** The request of a mode; an edit has a new boundary each time, as SDKs make it. */
export function callOf(mode: Mode, prompt: string): Call {
  if (mode !== 'edit') {
    const body = Buffer.from(JSON.stringify({ prompt, ...parameters[mode] }));
    return { path: '/v1/images/generations', type: 'application/json', body };
  }
  const boundary = randomBytes(8).toString('hex');
  const part = (name: string, more = '') =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const body = Buffer.concat([
    Buffer.from(`${part('prompt')}${prompt}\r\n${part('image', '; filename="a.png"\r\ncontent-type: image/png')}`),
    inputImage,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  return { path: '/v1/images/edits', type: `multipart/form-data; boundary=${boundary}`, body };
}

const isPaid = ({ method }: Exchange) => method === 'POST';

/** The paid call's response is held before its headers. */
export const heldAfterSending: Held = { hold: 'headers', matches: isPaid };

/**
 * The response that tells the outcome is held after its headers: that of the paid call, or of the first poll where the headers
 * of the paid call are all of it that matters.
 */
export function heldAfterHeaders(mode: Mode): Held {
  return { hold: 'body', matches: mode === 'legacy' ? ({ url }) => url.includes('/operations/') : isPaid };
}

const longerThanStatus = 4_000;

function bringsImage(mode: Mode): Held['matches'] {
  return hasHandle(mode) ? (exchange) => !isPaid(exchange) && exchange.body.length > longerThanStatus : isPaid;
}

/** The response that brings the image is held before its headers. */
export function heldBeforeImage(mode: Mode): Held {
  return { hold: 'headers', matches: bringsImage(mode) };
}

/** The response that brings the image is held within it. */
export function heldInBody(mode: Mode): Held {
  return { hold: 'end', matches: bringsImage(mode) };
}
