import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, onTestFinished } from 'vitest';
import type { FormRecord } from '../../simulator/receive-form.ts';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import type { AppParts } from '../../src/app.ts';
import type { ImageStore } from '../../src/domain/image-store.ts';
import type { ResponseBody } from '../helpers/call-gateway.ts';
import { gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { type FormPart, fields, formHeaders, writeForm } from '../simulator/write-form.ts';

export const editsPath = '/v1/images/edits';

export type EditsRig = StartedGateway & {
  readonly simulator: Simulator;
  /** Where its uploads go; nothing else is there. */
  readonly uploads: string;
};

type Options = {
  readonly store?: ImageStore;
  readonly uploadGraceMs?: number;
  readonly uploadsBytes?: number;
  readonly callers?: object;
  readonly dataDir?: string;
  readonly sharp?: AppParts['sharp'];
  /** Keys that are added to each model. */
  readonly modelKeys?: Record<string, unknown>;
  /** Keys that are added to the models file. */
  readonly fileKeys?: Record<string, unknown>;
  /** Calls go there instead of to the simulator. */
  readonly upstream?: string;
};

/** A gateway in front of a simulator, with a directory of its own for uploads; all ends with the test. */
export async function startEdits({ modelKeys, fileKeys, upstream, ...hosting }: Options = {}): Promise<EditsRig> {
  const uploads = await temporaryDirectory();
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  onTestFinished(() => simulator.close());
  // What follows a failure, and a client that disconnects, has tests of its own.
  const limits = { lingerMs: 0, ...(fileKeys?.limits as object | undefined) };
  const models = { ...editModels(upstream ?? simulator.origin, modelKeys), ...fileKeys, limits };
  const gateway = await startGateway(models, { ...hosting, uploads });
  return Object.defineProperties({ ...gateway } as EditsRig, {
    log: { get: () => gateway.log },
    simulator: { value: simulator },
    uploads: { value: uploads },
  });
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'uploads-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** `image` (also `gpt-image-1`) on the deployments path, `studio/poster` and `marked` on the v1 path, and `dall-e-3`. */
export function editModels(origin: string, modelKeys: Record<string, unknown> = {}): object {
  const common = { baseURL: origin, apiKey: 'simulator-key', maxRetries: 0, ...modelKeys };
  const deployment = { ...common, provider: 'azure-deployment', apiVersion: '2025-04-01-preview' };
  return {
    defaultModel: 'image',
    aliases: { 'gpt-image-1': 'image' },
    models: {
      image: { ...deployment, model: 'gpt-image-2', deployment: 'gpt-image-2' },
      'studio/poster': { ...common, provider: 'azure-v1', model: 'gpt-image-1.5' },
      mini: { ...common, provider: 'azure-v1', model: 'gpt-image-1-mini' },
      marked: { ...common, provider: 'azure-v1', model: 'gpt-image-2.5' },
      'dall-e-3': { ...deployment, apiVersion: '2024-10-21', model: 'dall-e-3', deployment: 'dall-e-3' },
    },
  };
}

/** A square PNG of one colour. */
export function pngImage(colour = 'teal', edge = 64): Promise<Buffer> {
  return sharp({ create: { width: edge, height: edge, channels: 3, background: colour } })
    .png()
    .toBuffer();
}

/** A PNG with transparent pixels, as masks and markups are. */
export function overlay(width = 64, height = width): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 4, background: '#00000000' } })
    .png()
    .toBuffer();
}

/** A small image, made as long as a test wants it by bytes behind its end, which readers of PNG ignore. */
export function padded(png: Buffer, bytes: number): Buffer {
  return Buffer.concat([png, Buffer.alloc(bytes - png.length, 7)]);
}

export function file(name: string, bytes: Buffer, filename = 'upload', type = 'application/octet-stream'): FormPart {
  return { name, bytes, filename, type };
}

/** A form with a prompt, these further fields, and files. */
export function editForm(files: readonly FormPart[], further: Record<string, string> = {}): Buffer {
  return writeForm([...fields({ prompt: 'a hat', ...further }), ...files]);
}

export const authorization = { authorization: `Bearer ${gatewayKey}` };

export type EditResponse = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  json(): ResponseBody;
};

/** Posts bytes to the edits, with a good key. */
export async function post(
  url: string,
  body: Buffer | string | ReadableStream,
  headers: Record<string, string> = formHeaders,
  path = editsPath,
): Promise<EditResponse> {
  const sent = { method: 'POST', headers: { ...authorization, ...headers }, body, duplex: 'half' };
  const response = await fetch(`${url}${path}`, sent as RequestInit);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as ResponseBody };
}

export const json = { 'content-type': 'application/json' };

export function postJson(url: string, body: unknown): Promise<EditResponse> {
  return post(url, typeof body === 'string' ? body : JSON.stringify(body), json);
}

export function dataUrl(bytes: Buffer, type = 'image/png'): string {
  return `data:${type};base64,${bytes.toString('base64')}`;
}

/** The forms that the simulator has received, oldest first. */
export function receivedForms({ simulator }: EditsRig): FormRecord[] {
  const posts = simulator.ledger.requests.filter(({ method }) => method === 'POST');
  return posts.map(({ body }) => body as FormRecord);
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** That a response is OpenAI's error with this code, about this parameter. */
export function expectError(response: EditResponse, status: number, code: string, param: string | null = null): void {
  const { error } = response.json();
  expect({ status: response.status, code: error.code, param: error.param }).toEqual({ status, code, param });
  expect(error.message).toMatch(/\S/);
}

/** Files of this directory that the process has open, nameless ones included. */
export async function openFiles(directory: string): Promise<string[]> {
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(links)).filter((link) => link.startsWith(`${directory}/`));
}

const patience = { timeout: 60_000 };

/** That no request runs and that no upload is left, neither by its name nor in an open file. */
export async function expectNothingLeft({ app, uploads }: Pick<EditsRig, 'app' | 'uploads'>): Promise<void> {
  await expect.poll(() => app.gateway.inFlight, patience).toBe(0);
  await expect.poll(() => openFiles(uploads), patience).toEqual([]);
  expect(await readdir(uploads)).toEqual([]);
}

/** That an upload has cost nothing and left nothing, and that the next one succeeds. */
export async function expectHarmless(rig: EditsRig): Promise<void> {
  await expectNothingLeft(rig);
  expect(rig.simulator.ledger.counts()).toMatchObject({ billed: 0, requests: 0 });
  const next = await post(rig.url, editForm([file('image', await pngImage())]));
  expect(next.status).toBe(200);
  await expectNothingLeft(rig);
  expect(rig.simulator.ledger.counts()).toMatchObject({ billed: 1, requests: 1 });
}
