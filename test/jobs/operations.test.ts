import { describe, expect, test } from 'vitest';
import { call } from './job-calls.ts';
import { generate, startHeld, startPaidOnce } from './paid-once.ts';

const submit = '/openai/images/generations:submit?api-version=2023-06-01-preview';

type Operation = {
  readonly id: string;
  readonly status: string;
  readonly created: number;
  readonly expires: number;
  readonly result: { readonly created: number; readonly data: readonly { readonly url: string }[] };
  readonly error: { readonly code: string; readonly message: string };
};

const operationIn = ({ text }: { readonly text: string }) => JSON.parse(text) as Operation;

async function ended(location: string): Promise<Operation> {
  for (;;) {
    const operation = operationIn(await call(location, location));
    if (!['notRunning', 'running'].includes(operation.status)) return operation;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the legacy flow', () => {
  test.each([submit, submit.replace(':', '%3A'), `/m/studio%2Fposter${submit}`, `/m/studio/poster${submit}`])(
    'submits, polls and downloads: %s',
    async (path) => {
      const { url } = await startPaidOnce();
      const accepted = await generate(url, { n: 2 }, {}, path);
      expect(accepted.status).toBe(202);
      const { id } = operationIn(accepted);
      expect(operationIn(accepted)).toEqual({ id, status: expect.stringMatching(/^(notRunning|running|succeeded)$/) });
      const location = accepted.headers.get('operation-location') ?? '';
      const prefix = path.startsWith('/m/') ? '/m/studio%2Fposter' : '';
      expect(location).toBe(`${url}${prefix}/openai/operations/images/${id}?api-version=2023-06-01-preview`);
      expect(accepted.headers.get('retry-after')).toBe('1');
      const operation = await ended(location);
      expect(operation).toMatchObject({
        id,
        status: 'succeeded',
        created: expect.any(Number),
        expires: expect.any(Number),
      });
      expect(operation.result.data).toHaveLength(2);
      for (const image of operation.result.data) {
        const file = await fetch(image.url);
        expect([file.status, file.headers.get('content-type')]).toEqual([200, 'image/png']);
      }
    },
  );

  test('is deleted when it has ended, and not before', async () => {
    const { url, held } = await startHeld();
    const accepted = await generate(url, {}, {}, submit);
    const location = accepted.headers.get('operation-location') ?? '';
    await expect.poll(() => held.length).toBe(1);
    const early = await call(location, location, { method: 'DELETE' });
    expect([early.status, early.headers.get('x-ms-error-code')]).toEqual([409, 'job_not_completed']);
    const running = await call(location, location);
    expect([operationIn(running).status, running.headers.get('retry-after')]).toEqual(['running', '1']);
    held[0]?.writeHead(400, { 'content-type': 'application/json' });
    held[0]?.end(
      JSON.stringify({ error: { code: 'content_policy_violation', message: 'no', type: 'invalid_request_error' } }),
    );
    expect(await ended(location)).toMatchObject({ status: 'failed', error: { code: 'contentFilter' } });
    expect((await call(location, location, { method: 'DELETE' })).status).toBe(204);
    const gone = await call(location, location);
    expect([gone.status, JSON.parse(gone.text)]).toEqual([
      404,
      { error: { code: 'job_not_found', message: expect.any(String) } },
    ]);
  });

  test('is one operation for one Operation-Id', async () => {
    const gateway = await startPaidOnce();
    const { url } = gateway;
    const headers = { 'operation-id': '0F508BCF-e651-4b4b-85a7-58ad77981ffa' };
    const first = await generate(url, {}, headers, submit);
    const second = await generate(url, {}, headers, submit);
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(operationIn(second).id).toBe('0f508bcf-e651-4b4b-85a7-58ad77981ffa');
    const location = second.headers.get('operation-location') ?? '';
    expect(location).toBe(first.headers.get('operation-location'));
    expect(await ended(location)).toMatchObject({ status: 'succeeded' });
    const other = await generate(url, { n: 2 }, headers, submit);
    expect([other.status, JSON.parse(other.text).error.target]).toEqual([400, 'Operation-Id']);
    expect(gateway.received).toBe(1);
  });
});
