import { describe, expect, test } from 'vitest';
import { dataUrl, file, overlay, pngImage, post } from '../end-to-end/edits.ts';
import { exchange, rawCall } from '../end-to-end/rig.ts';
import type { Called } from '../helpers/call-gateway.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { type FormPart, fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import {
  edit,
  editWith,
  generate,
  keyed,
  keyHeaders,
  type Members,
  operationNames,
  operations,
  startPaidOnce,
} from './paid-once.ts';

const codeOf = (response: Called) => [response.status, response.json().error?.code];

describe('the key', () => {
  test.each([
    ['bare and quoted', 'order-1', '"order-1"'],
    ['quoted and bare', '"order-1"', 'order-1'],
    ['with spaces around it', 'order-1', '  order-1  '],
    ['with an escaped quote', '"a\\"b"', 'a"b'],
    ['255 characters long', 'x'.repeat(255), `"${'x'.repeat(255)}"`],
    ['with every kind of character', ` !#$%&'()*+,-./:;<=>?@[]^_\`{|}~`, ` !#$%&'()*+,-./:;<=>?@[]^_\`{|}~`],
  ])('%s is the same key', async (_, one, other) => {
    const { url, simulator } = await startPaidOnce();
    const first = await generate(url, {}, keyed(one));
    expect(first.status).toBe(200);
    expect(keyHeaders(await generate(url, {}, keyed(other)))).toEqual({ job: keyHeaders(first).job, replayed: 'true' });
    expect(simulator.ledger.received).toBe(1);
  });

  test.each([
    ['case', 'order-a', 'order-A'],
    ['its end', 'order-1', 'order-10'],
    ['quotes inside', 'a"b', 'ab'],
    ['spaces inside', 'a b', 'a  b'],
  ])('that differs by %s is another one', async (_, one, other) => {
    const { url, simulator } = await startPaidOnce();
    const jobs = [await generate(url, {}, keyed(one)), await generate(url, {}, keyed(other))].map(keyHeaders);
    expect(jobs.map(({ replayed }) => replayed)).toEqual([null, null]);
    expect(jobs[0]?.job).not.toBe(jobs[1]?.job);
    expect(simulator.ledger.received).toBe(2);
  });

  test.each(operationNames)('that is malformed is refused by name, and nothing is sent: %s', async (operation) => {
    const rig = await startPaidOnce();
    const malformed = ['', '   ', '""', 'x'.repeat(256), `"${'x'.repeat(256)}"`, 'clé', '"k', '"', '"k"x', '"a"b"'];
    for (const key of malformed) {
      const response = await operations[operation](rig.url, {}, keyed(key));
      expect([key, ...codeOf(response), response.json().error.param]).toEqual([
        key,
        400,
        'invalid_value',
        'Idempotency-Key',
      ]);
      expect(keyHeaders(response)).toEqual({ job: null, replayed: null });
    }
    expect(rig.received).toBe(0);
    expect(await rig.app.metrics()).not.toMatch(/^gateway_jobs\{/m);
  });

  test.each([
    ['different', ['idempotency-key: a', 'idempotency-key: b']],
    ['equal', ['idempotency-key: a', 'Idempotency-Key: a']],
  ])('twice is refused: %s', async (_, headers) => {
    const { url, simulator } = await startPaidOnce();
    const own = [`authorization: Bearer ${gatewayKey}`, 'connection: close'];
    const text = await exchange(url, rawCall({ prompt: 'a cat' }, [...own, ...headers]));
    expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"invalid_value"/);
    expect(simulator.ledger.received).toBe(0);
  });

  test('is nowhere in the log, and nothing that was refused has used it up', async () => {
    const rig = await startPaidOnce();
    const canary = 'canary-of-a-key';
    for (const members of [{ n: 11 }, { model: 'nobody' }, { response_format: 'nothing' }]) {
      expect((await generate(rig.url, members, keyed(canary))).status).toBeGreaterThanOrEqual(400);
    }
    expect((await generate(rig.url, {}, keyed(canary))).status).toBe(200);
    expect(rig.logText()).not.toContain(canary);
  });
});

describe('one request', () => {
  /** That these calls with one key are one request. */
  async function expectOne(calls: (url: string) => readonly (() => Promise<Called>)[]): Promise<void> {
    const rig = await startPaidOnce();
    const jobs = new Set<string | null>();
    for (const [index, call] of calls(rig.url).entries()) {
      const response = await call();
      expect([index, response.status, keyHeaders(response).replayed]).toEqual([
        index,
        200,
        index === 0 ? null : 'true',
      ]);
      jobs.add(keyHeaders(response).job);
    }
    expect(jobs.size).toBe(1);
    expect(rig.received).toBe(1);
  }

  test('is one by every name of its model', async () => {
    const named: Members[] = [{}, { model: 'image' }, { model: 'gpt-image-1' }, { model: null }];
    await expectOne((url) => [
      ...named.map((members) => () => generate(url, members, keyed('k'))),
      () => generate(url, {}, { ...keyed('k'), 'x-target': 'gpt-image-1' }),
    ]);
  });

  const prefixes = [
    '/v1',
    '',
    '/openai/deployments/image',
    '/openai/deployments/gpt-image-1',
    '/openai/v1',
    '/m/image/v1',
  ];

  test.each([
    ['generation', generate, 'generations'],
    ['edit', edit, 'edits'],
  ] as const)('is one on every path: %s', async (_, call, end) => {
    await expectOne((url) =>
      prefixes.map((prefix) => () => call(url, {}, keyed('k'), `${prefix}/images/${end}?api-version=1`)),
    );
  });

  test('is one however its images come back, and whatever limits and ids it has', async () => {
    const members: Members[] = [
      {},
      { stream: false },
      { stream: true, partial_images: 0 },
      { stream: true, partial_images: 3 },
      { response_format: 'url' },
      { response_format: null, size: null, n: null, user: null },
      { n: 1 },
    ];
    const headers = { 'x-request-id': 'another', 'x-gateway-max-retries': '0', 'x-gateway-timeout-ms': '50000' };
    await expectOne((url) => [
      ...members.map((each) => () => generate(url, each, keyed('k'))),
      () => generate(url, {}, { ...keyed('k'), ...headers }),
      () => generate(url, {}, { ...keyed('k'), 'x-stainless-retry-count': '1' }),
    ]);
  });

  test('is one whatever order its members have', async () => {
    const body = [
      '{"prompt":"a cat","size":"1024x1024","quality":"low"}',
      '{ "quality": "low",\n"size":"1024x1024", "prompt":"a c\\u0061t" }',
    ];
    await expectOne((url) =>
      body.map(
        (text) => () =>
          post(url, text, { 'content-type': 'application/json', ...keyed('k') }, '/v1/images/generations'),
      ),
    );
  });

  test('is one whatever its form looks like: boundary, order, names and types of files', async () => {
    const [red, blue, mask] = await Promise.all([pngImage('red'), pngImage('blue'), overlay()]);
    const texts = fields({ prompt: 'a hat', quality: 'low' });
    const files = [file('image[]', red, 'a.png', 'image/png'), file('image[]', blue, 'b.png', 'image/png')];
    const renamed = [file('image', red, 'x', 'application/octet-stream'), file('image', blue, 'y.bin', 'image/jpeg')];
    const masked = file('mask', mask, 'm.png', 'image/png');
    const forms: FormPart[][] = [
      [...texts, ...files, masked],
      [masked, ...files, ...texts.toReversed()],
      [...renamed, ...texts, file('mask', mask)],
    ];
    const rewritten = { 'content-type': 'multipart/form-data; boundary=another-one' };
    const [form = Buffer.alloc(0)] = forms.map(writeForm);
    const again = Buffer.from(form.toString('latin1').replaceAll('form-of-a-test', 'another-one'), 'latin1');
    await expectOne((url) => [
      ...forms.map((parts) => () => post(url, writeForm(parts), { ...formHeaders, ...keyed('k') })),
      () => post(url, again, { ...rewritten, ...keyed('k') }),
      () =>
        post(
          url,
          JSON.stringify({
            prompt: 'a hat',
            quality: 'low',
            images: [red, blue].map((bytes) => ({ image_url: dataUrl(bytes) })),
            mask: { image_url: dataUrl(mask) },
          }),
          { 'content-type': 'application/json', ...keyed('k') },
        ),
    ]);
  });
});

describe('another request with the same key', () => {
  const refused = [422, 'idempotency_key_reused', 'Idempotency-Key'];

  test.each<Members>([
    { prompt: 'a dog' },
    { prompt: 'a cat ' },
    { n: 2 },
    { size: '1024x1536' },
    { quality: 'low' },
    { background: 'opaque' },
    { output_format: 'jpeg' },
    { moderation: 'low' },
    { user: 'somebody' },
    { model: 'studio/poster' },
    { further: 'member' },
  ])('%o is refused, and not sent', async (members) => {
    const rig = await startPaidOnce({ modelKeys: { parameters: 'pass' } });
    const first = await generate(rig.url, {}, keyed('k'));
    const response = await generate(rig.url, members, keyed('k'));
    expect([...codeOf(response), response.json().error.param]).toEqual(refused);
    expect(response.headers.get('x-should-retry')).toBeNull();
    expect(keyHeaders(response)).toEqual({ job: null, replayed: null });
    expect(rig.received).toBe(1);
    expect(keyHeaders(await generate(rig.url, {}, keyed('k')))).toEqual({
      job: keyHeaders(first).job,
      replayed: 'true',
    });
  });

  test('with other files, in another order, or without a mask is refused', async () => {
    const rig = await startPaidOnce();
    const [red, blue, mask] = await Promise.all([pngImage('red'), pngImage('blue'), overlay()]);
    const images = [file('image[]', red), file('image[]', blue)];
    expect((await editWith(rig.url, [...images, file('mask', mask)], {}, keyed('k'))).status).toBe(200);
    for (const files of [
      images,
      [...images.toReversed(), file('mask', mask)],
      [file('image[]', red), file('mask', mask)],
      [file('image[]', red), file('image[]', Buffer.concat([blue, Buffer.alloc(1)])), file('mask', mask)],
      [...images, file('mask', await overlay(64, 64).then((bytes) => Buffer.concat([bytes, Buffer.alloc(1)])))],
    ]) {
      const response = await editWith(rig.url, files, {}, keyed('k'));
      expect([...codeOf(response), response.json().error.param]).toEqual(refused);
    }
    expect(rig.received).toBe(1);
  });

  test('that is of the other operation has a job of its own', async () => {
    const rig = await startPaidOnce();
    const responses = [await generate(rig.url, {}, keyed('k')), await edit(rig.url, {}, keyed('k'))];
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    expect(new Set(responses.map((response) => keyHeaders(response).job)).size).toBe(2);
    expect(rig.received).toBe(2);
    const again = [await generate(rig.url, {}, keyed('k')), await edit(rig.url, {}, keyed('k'))];
    expect(again.map(keyHeaders)).toEqual(responses.map((response) => ({ ...keyHeaders(response), replayed: 'true' })));
    expect(rig.received).toBe(2);
  });
});
