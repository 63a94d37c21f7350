import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { expectLink } from '../images.ts';
import { expectAzureImage, expectOnePaid, expectPaid, gatewayKey, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { postJson } from './images-response.ts';

const submit = 'images/generations:submit';

type Operation = { readonly status: string; readonly result: { readonly data: readonly { readonly url: string }[] } };

/**
 * What it does with one prompt: it reads the id from the body, makes the address of the polls itself, and polls 31
 * times at most, until there is an image. It waits 2 s in between; here the wait is shorter.
 */
async function generate(endpoint: string, key = gatewayKey): Promise<Operation | null> {
  const url = `${endpoint}/openai/${submit}?api-version=2023-06-01-preview`;
  const submitted = await postJson(url, { 'api-key': key }, { prompt: 'a cat' });
  if (!submitted.ok) throw new Error(`Error generating image: ${submitted.status}`);
  const { id } = (await submitted.json()) as { id: string };
  return poll(url.replace(submit, `operations/images/${id}`), key, 31);
}

async function poll(url: string, key: string, left: number): Promise<Operation | null> {
  const response = await fetch(url, { headers: { 'api-key': key } });
  expect(response.status).toBe(200);
  const operation = (await response.json()) as Operation;
  if (operation.status === 'succeeded') return operation;
  if (left === 1) return null;
  await sleep(200);
  return poll(url, key, left - 1);
}

const startJobsRig = () => startRig({ keepsJobs: true });

async function expectMade(operation: Operation | null): Promise<void> {
  expect(operation?.result.data).toHaveLength(1);
  await expectLink(operation?.result.data[0]?.url, '1024x1024');
}

/** Its plugin for DALL·E 2, which chooses nothing but the prompt. */
export const cortexSuite: Suite = {
  async url() {
    const rig = await startJobsRig();
    await expectMade(await generate(rig.url));
    expectOnePaid(rig);
  },
  async errors() {
    const rig = await startJobsRig();
    await expect(generate(rig.url, 'wrong')).rejects.toThrow('401');
    expectPaid(rig, { received: 0, billed: 0, images: 0 });
  },
  async addresses() {
    const rig = await startJobsRig();
    await expectMade(await generate(`${rig.url}/m/azure-image`));
    expectAzureImage(rig, 1);
  },
};
