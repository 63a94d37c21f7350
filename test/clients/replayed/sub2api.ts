import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { expectLink, inputImage } from '../images.ts';
import { expectOnePaid, expectPaid, gatewayKey, type Rig, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import { type ImagesResponse, postJson } from './images-response.ts';

const authorization = { Authorization: `Bearer ${gatewayKey}` };
const startJobsRig = () => startRig({ keepsJobs: true });

type Created = { readonly task_id: string; readonly status: string; readonly poll_url: string };

type Task = {
  readonly status: 'processing' | 'completed' | 'failed';
  readonly result?: ImagesResponse;
  readonly image_url?: string;
  readonly error?: { readonly code: string; readonly message: string };
};

function generate({ url }: Rig, request: object = {}): Promise<Response> {
  const body = { model: 'image', prompt: 'a cat', size: '1024x1024', n: 1, response_format: 'url', ...request };
  return postJson(`${url}/v1/images/generations/async`, authorization, body);
}

/** Local files are edited by a form. */
async function edit({ url }: Rig, image: Buffer): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of Object.entries({ model: 'image', prompt: 'a hat', n: '1' })) form.append(name, value);
  form.append('image', new Blob([new Uint8Array(image)], { type: 'image/png' }), 'source.png');
  return fetch(`${url}/v1/images/edits/async`, { method: 'POST', headers: authorization, body: form });
}

/** Polls as its documentation says: until the status is another than `processing`. It waits 4 s; here it is shorter. */
async function finish(rig: Rig, response: Response): Promise<Task> {
  expect(response.status).toBe(202);
  const { task_id, status, poll_url } = (await response.json()) as Created;
  const address = `${rig.url}/v1/images/tasks/${task_id}`;
  expect({ status, poll_url }).toEqual({ status: 'processing', poll_url: address });
  for (;;) {
    const polled = await fetch(address, { headers: authorization });
    expect(polled.status).toBe(200);
    const task = (await polled.json()) as Task;
    if (task.status !== 'processing') return task;
    await sleep(100);
  }
}

function imagesOf(task: Task, count = 1): ImagesResponse['data'] {
  expect(task).toMatchObject({ status: 'completed' });
  expect(task.result?.data).toHaveLength(count);
  return task.result?.data ?? [];
}

/** Clients of sub2api's asynchronous images, which know its tasks and no other jobs. */
export const sub2apiSuite: Suite = {
  async url() {
    const rig = await startJobsRig();
    const task = await finish(rig, await generate(rig));
    for (const { url } of imagesOf(task)) await expectLink(url, '1024x1024');
    expect(task.image_url).toBe(imagesOf(task)[0]?.url);
    expectOnePaid(rig);
  },
  async several() {
    const rig = await startJobsRig();
    const task = await finish(rig, await generate(rig, { n: 3 }));
    for (const { url } of imagesOf(task, 3)) await expectLink(url, '1024x1024');
    expectPaid(rig, { received: 1, billed: 1, images: 3 });
  },
  async options() {
    const rig = await startJobsRig();
    const task = await finish(rig, await generate(rig, { size: '1536x1024', quality: 'low' }));
    for (const { url } of imagesOf(task)) await expectLink(url, '1536x1024');
    expect(rig.paidCalls()[0]?.body).toMatchObject({ size: '1536x1024', quality: 'low' });
    expectOnePaid(rig);
  },
  async edit() {
    const rig = await startJobsRig();
    const made = await inputImage();
    const task = await finish(rig, await edit(rig, made));
    for (const { url } of imagesOf(task)) await expectLink(url, '1024x1024');
    expectUploaded(rig, [made]);
    expectOnePaid(rig);
  },
  async job() {
    const rig = await startJobsRig();
    expect(imagesOf(await finish(rig, await generate(rig, { prompt: 'simulate:slow-2500' })))).toHaveLength(1);
    expect(rig.calls.filter(({ method }) => method === 'GET').length).toBeGreaterThan(1);
    expectOnePaid(rig);
  },
  errors: {
    async 'a model that does not exist'() {
      const response = await generate(await startJobsRig(), { model: 'nobody' });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'model_not_found' } });
    },
    async 'a prompt that Azure refuses'() {
      const rig = await startJobsRig();
      const task = await finish(rig, await generate(rig, { prompt: 'simulate:moderation-blocked' }));
      expect(task).toMatchObject({ status: 'failed', error: { code: 'moderation_blocked' } });
      expectPaid(rig, { received: 1, billed: 0, images: 0 });
    },
  },
};
