import { describe, expect, test } from 'vitest';
import type { Called } from '../helpers/call-gateway.ts';
import {
  generate,
  imagesIn,
  keyed,
  keyHeaders,
  type Members,
  operationNames,
  operations,
  type PaidOnceRig,
  startPaidOnce,
  steadyHeaders,
} from './paid-once.ts';

const jobId = /^imgjob_[\w-]{24}$/;
const price = { price: { images: [{ price: 0.04 }] } };
const costOf = ({ headers }: Called) => headers.get('x-gateway-cost-usd');

/** That a response is another one's again, which has cost nothing. */
async function expectReplayOf(first: Called, again: Called): Promise<void> {
  expect(again.status).toBe(first.status);
  expect(keyHeaders(again)).toEqual({ job: keyHeaders(first).job, replayed: 'true' });
  expect(costOf(again)).toBeNull();
  expect(await imagesIn(again)).toEqual(await imagesIn(first));
}

const forms: Readonly<Record<string, Members>> = {
  'JSON with base64': { response_format: 'b64_json' },
  'JSON with links': { response_format: 'url' },
  'a stream': { stream: true },
  'a stream with partial images': { stream: true, partial_images: 2 },
};
const formNames = Object.keys(forms);

describe.each(operationNames)('a %s with an Idempotency-Key', (operation) => {
  const call = operations[operation];

  test.each(formNames)('as %s: again the same bytes and headers, and nothing is bought', async (form) => {
    const rig = await startPaidOnce({ modelKeys: price });
    const first = await call(rig.url, forms[form], keyed('k'));
    expect(first.status).toBe(200);
    expect(keyHeaders(first)).toEqual({ job: expect.stringMatching(jobId), replayed: null });
    if (!form.includes('stream')) expect(costOf(first)).toBe('0.04');
    for (let replay = 0; replay < 2; replay += 1) {
      const again = await call(rig.url, forms[form], keyed('k'));
      await expectReplayOf(first, again);
      // Partial images are not kept.
      expect(again.text).toBe(withoutPartialImages(first.text));
      expect(steadyHeaders(again)).toEqual(steadyHeaders(first));
    }
    expect(rig.received).toBe(1);
  });

  test.each(formNames.flatMap((first) => formNames.filter((form) => form !== first).map((form) => [first, form])))(
    'as %s first, then as %s: the same images',
    async (before, after) => {
      const rig = await startPaidOnce();
      const first = await call(rig.url, forms[before], keyed('k'));
      const again = await call(rig.url, forms[after], keyed('k'));
      await expectReplayOf(first, again);
      expect(again.headers.get('content-type')).toBe(
        after.includes('stream') ? 'text/event-stream' : 'application/json',
      );
      expect(rig.received).toBe(1);
      // The same text as if it had been asked for so at first.
      expect((await call(rig.url, forms[after], keyed('k'))).text).toBe(again.text);
      await expectReplayOf(first, await call(rig.url, forms[before], keyed('k')));
    },
  );

  test.each(['JSON with base64', 'JSON with links', 'a stream'])('of three images as %s: all three', async (form) => {
    const rig = await startPaidOnce();
    const first = await call(rig.url, { n: 3, ...forms[form] }, keyed('k'));
    const { received } = rig;
    const again = await call(rig.url, { n: 3, ...forms[form] }, keyed('k'));
    await expectReplayOf(first, again);
    expect(await imagesIn(again)).toHaveLength(3);
    expect(again.text).toBe(first.text);
    expect(rig.received).toBe(received);
  });

  test('has no headers about a key without one, and gets an image each time', async () => {
    const rig = await startPaidOnce();
    for (let count = 1; count <= 2; count += 1) {
      const response = await call(rig.url);
      expect([response.status, keyHeaders(response)]).toEqual([200, { job: null, replayed: null }]);
      expect(rig.received).toBe(count);
    }
  });
});

/** The text of a stream without its partial images; any other text as it is. */
function withoutPartialImages(text: string): string {
  return text.replace(/^event: \w+\.partial_image\ndata: .*\n\n/gm, '');
}

describe('every kind of upstream', () => {
  const models = ['image', 'studio/poster', 'dall-e-3', 'dall-e-2', 'artist', 'later'];

  test.each(models.flatMap((model) => ['b64_json', 'url'].map((format) => [model, format])))(
    '%s as %s: replayed byte for byte, also by another gateway on the same directory',
    async (model, response_format) => {
      const size = model === 'dall-e-2' ? { size: '256x256' } : {};
      const members = { model, response_format, ...size };
      const publicBaseUrl = 'http://images.example';
      const rig = await startPaidOnce({ publicBaseUrl });
      const first = await generate(rig.url, members, keyed('k'));
      expect(first.status).toBe(200);
      const again = await generate(rig.url, members, keyed('k'));
      expect([again.text, steadyHeaders(again)]).toEqual([first.text, steadyHeaders(first)]);
      await rig.app.server.close();
      const next = await startNext(rig, { publicBaseUrl });
      const replayed = await generate(next.url, members, keyed('k'));
      expect([replayed.text, steadyHeaders(replayed)]).toEqual([first.text, steadyHeaders(first)]);
      expect(keyHeaders(replayed)).toEqual({ job: keyHeaders(first).job, replayed: 'true' });
      expect(rig.received + next.received).toBe(1);
    },
  );
});

/** Another gateway on the directory of the first one. */
function startNext({ dataDir }: PaidOnceRig, options: Parameters<typeof startPaidOnce>[0] = {}): Promise<PaidOnceRig> {
  return startPaidOnce({ dataDir, ...options });
}

test('images of many megabytes, and bodies with strange members, are replayed byte for byte', async () => {
  const rig = await startPaidOnce();
  for (const scenario of ['big-3', 'escaped', 'extra-fields', 'no-created', 'url-item', 'stream-json']) {
    for (const stream of [false, true]) {
      const members = { prompt: `simulate:${scenario}`, stream };
      const first = await generate(rig.url, members, keyed(`${scenario} ${stream}`));
      const { received } = rig;
      const again = await generate(rig.url, members, keyed(`${scenario} ${stream}`));
      expect([scenario, again.status, again.text === first.text]).toEqual([scenario, first.status, true]);
      expect(keyHeaders(again).replayed).toBe('true');
      expect(rig.received).toBe(received);
    }
  }
});
