import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asynchronous, call, endOf, jobIn } from './job-calls.ts';
import { edit, generate, imagesIn, operationNames, operations, startHeld, startPaidOnce } from './paid-once.ts';

const seconds = expect.any(Number);

describe('a request that asks for a job', () => {
  test('gets the job at once, and its images when they are made', async () => {
    const { url, received } = await startPaidOnce();
    expect(received).toBe(0);
    const accepted = await generate(url, { n: 2 }, asynchronous);
    expect(accepted.status).toBe(202);
    const { id } = jobIn(accepted);
    expect(id).toMatch(/^imgjob_[\w-]{24}$/);
    expect(jobIn(accepted)).toEqual({
      id,
      object: 'image.job',
      status: expect.stringMatching(/^(queued|in_progress|completed)$/),
      created_at: seconds,
      completed_at: null,
      expires_at: null,
      model: 'image',
      error: null,
    });
    expect(Object.fromEntries(accepted.headers)).toMatchObject({
      location: `${url}/v1/images/jobs/${id}`,
      'retry-after': '2',
      'preference-applied': 'respond-async',
      'cache-control': 'no-store',
      'x-gateway-job': id,
      'x-gateway-model': 'image',
    });
    expect(await endOf(url, id)).toMatchObject({ status: 'completed', completed_at: seconds, expires_at: seconds });
    const content = await call(url, `/v1/images/jobs/${id}/content`);
    expect(content.status).toBe(200);
    expect(await imagesIn(content)).toHaveLength(2);
    expect((await call(url, `/v1/images/jobs/${id}/content`)).text).toBe(content.text);
  });

  test('waits for it as long as it likes, and gets the images like anybody else', async () => {
    const { url } = await startPaidOnce();
    const whole = await generate(url, {}, { prefer: 'respond-async, wait=60' });
    expect(whole.status).toBe(200);
    expect(whole.headers.get('preference-applied')).toBe('respond-async, wait=60');
    expect(await imagesIn(whole)).toHaveLength(1);
  });

  test.each(operationNames)('may ask for it in the body: %s', async (name) => {
    const { url } = await startPaidOnce();
    const member = name === 'edit' ? {} : { background: true };
    const accepted = await operations[name](url, member, name === 'edit' ? asynchronous : {});
    expect(accepted.status).toBe(202);
    expect(await endOf(url, jobIn(accepted).id)).toMatchObject({ status: 'completed' });
  });

  test('keeps the inputs of an edit until it has ended', async () => {
    const { url, held, gateway } = await startHeld();
    const accepted = await edit(url, {}, asynchronous);
    await expect.poll(() => held.length).toBe(1);
    const inputs = join(gateway.dataDir ?? '', 'inputs');
    expect(await readdir(inputs)).toHaveLength(1);
    held[0]
      ?.writeHead(400, { 'content-type': 'application/json' })
      .end('{"error":{"message":"no","code":"invalid_value"}}');
    expect(await endOf(url, jobIn(accepted).id)).toMatchObject({ status: 'failed' });
    await expect.poll(() => readdir(inputs)).toEqual([]);
  });
});
