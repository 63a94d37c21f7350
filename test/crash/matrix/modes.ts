import { randomBytes } from 'node:crypto';
import sharp from 'sharp';
import { chatTarget, modelsFile } from '../../end-to-end/rig.ts';
import type { Exchange, Held } from './holding-relay.ts';

/** Modes whose clients wait for the response of their request. */
export const waitingModes = ['deployment', 'v1', 'legacy', 'background', 'stream', 'edit', 'fan-out'] as const;

export type WaitingMode = (typeof waitingModes)[number];

/** Modes whose clients get an id, and fetch the images later. */
const jobModes = ['job', 'edit job', 'submit', 'response'] as const;

export type JobMode = (typeof jobModes)[number];

export type Mode = WaitingMode | JobMode;

/** How an upstream is spoken to, and what its clients want. */
export const modes: readonly Mode[] = [...waitingModes, ...jobModes];

/** What is behind a job: the same as behind a request that waits. */
const behind: Readonly<Record<JobMode, WaitingMode>> = {
  job: 'deployment',
  'edit job': 'edit',
  submit: 'legacy',
  response: 'background',
};

export function isJob(mode: Mode): mode is JobMode {
  return mode in behind;
}

function upstreamOf(mode: Mode): WaitingMode {
  return isJob(mode) ? behind[mode] : mode;
}

/** Modes whose accepted work has a handle, by which another process can follow it. */
export function hasHandle(mode: Mode): boolean {
  return ['legacy', 'background'].includes(upstreamOf(mode));
}

/** Modes whose upstream says with the headers of the paid call's response all that matters of it. */
export function isLegacy(mode: Mode): boolean {
  return upstreamOf(mode) === 'legacy';
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

const parameters: Readonly<Record<Exclude<WaitingMode, 'edit'>, object>> = {
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
  if (mode === 'response') return json('/v1/responses', { model: 'later', input: prompt, background: true });
  if (mode === 'submit') return json('/openai/images/generations:submit', { prompt, ...parameters.legacy });
  const upstream = upstreamOf(mode);
  if (upstream !== 'edit') return json('/v1/images/generations', { prompt, ...parameters[upstream] });
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

function json(path: string, body: object): Call {
  return { path, type: 'application/json', body: Buffer.from(JSON.stringify(body)) };
}

const isPaid = ({ method }: Exchange) => method === 'POST';

/** The paid call's response is held before its headers. */
export const heldAfterSending: Held = { hold: 'headers', matches: isPaid };

/**
 * The response that tells the outcome is held after its headers: that of the paid call, or of the first poll where the headers
 * of the paid call are all of it that matters.
 */
export function heldAfterHeaders(mode: Mode): Held {
  return { hold: 'body', matches: isLegacy(mode) ? ({ url }) => url.includes('/operations/') : isPaid };
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
