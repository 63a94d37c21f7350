import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Caller, json, openCaller } from './call-simulator.ts';
import { sizeOf } from './size-of.ts';
import { type FormPart, fields, formHeaders, writeForm } from './write-form.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const edits = '/mai/v1/images/edits';

const plain = (format: 'png' | 'jpeg' | 'webp' | 'gif', width = 1200, height = 801) =>
  sharp({ create: { width, height, channels: 3, background: '#f00' } })
    .toFormat(format)
    .toBuffer();
const [png, jpeg, webp, gif] = await Promise.all([plain('png'), plain('jpeg'), plain('webp'), plain('gif')]);

const file = (bytes: Buffer, type = 'image/png', name = 'image'): FormPart => ({ name, bytes, type, filename: 'a' });
const several = (count: number, name: string) => Array.from({ length: count }, () => file(png, 'image/png', name));

const edit = (files: readonly FormPart[], values: Record<string, string> = {}, model = 'mai-image-2.6-mine') =>
  caller.send(edits, formHeaders, writeForm([...fields({ model, prompt: 'a hat', ...values }), ...files]));

describe('an edit of MAI-Image', () => {
  test('draws over the first image, in its shape on the grid, and bills an edit', async () => {
    const { status, bytes } = await edit([file(png), file(jpeg, 'image/jpeg')]);
    expect(status).toBe(200);
    const { data, usage, ...others } = JSON.parse(bytes.toString());
    expect([data.length, others]).toEqual([1, {}]);
    expect(await sizeOf(data[0].b64_json)).toBe('png 1200x800');
    expect(usage).toEqual({ num_input_text_tokens: 2, num_input_image_tokens: 500, num_output_tokens: 938 });
    const corner = await sharp(Buffer.from(data[0].b64_json, 'base64'))
      .extract({ left: 2, top: 2, width: 1, height: 1 })
      .raw()
      .toBuffer();
    expect([...corner.subarray(0, 3)]).toEqual([255, 0, 0]);
    expect(caller.simulator.ledger.counts()).toMatchObject({
      billedByOperation: { edit: 1 },
      billedByFlow: { mai: 1 },
    });
  });

  test('is recorded as its fields and files, and counted as received once it is there', async () => {
    await edit([file(jpeg, 'image/jpeg', 'image[]')]);
    expect(caller.simulator.ledger.requests.map(({ body }) => body)).toEqual([
      {
        fields: [
          ['model', 'mai-image-2.6-mine'],
          ['prompt', 'a hat'],
        ],
        files: [
          {
            part: 'image[]',
            filename: 'a',
            contentType: 'image/jpeg',
            bytes: jpeg.length,
            sha256: createHash('sha256').update(jpeg).digest('hex'),
          },
        ],
      },
    ]);
    expect(caller.simulator.ledger.received).toBe(1);
    const cut = writeForm([...fields({ prompt: 'a hat' }), file(png)]).subarray(0, -40);
    expect((await caller.send(edits, formHeaders, cut)).status).toBe(400);
    expect(caller.simulator.ledger.received).toBe(1);
  });

  test.each([
    ['five of one name', several(5, 'image'), 'MAI-Image-2.6'],
    ['five of a list', several(5, 'image[]'), 'MAI-Image-2.6-Flash'],
    ['one of a list', several(1, 'image[]'), 'MAI-Image-2.5'],
  ])('accepts %s', async (_name, files, model) => {
    expect((await edit(files, {}, model)).status).toBe(200);
  });

  test.each<[string, readonly FormPart[], Record<string, string>, string]>([
    ['no image', [], {}, "'image'"],
    ['six images', several(6, 'image[]'), {}, "'image'"],
    ['webp', [file(webp, 'image/webp')], {}, "'image'"],
    ['webp that is called png', [file(webp)], {}, "'image'"],
    ['png that is called jpeg', [file(png, 'image/jpeg')], {}, "'image'"],
    ['gif', [file(png), file(gif, 'image/gif')], {}, "'image'"],
    ['an octet-stream', [file(png, 'application/octet-stream')], {}, "'image'"],
    ['a second image that is cut', [file(png), file(png.subarray(0, -30))], {}, "'image'"],
    ['a mask', [file(png), file(png, 'image/png', 'mask')], {}, "'mask'"],
    ['numbered images', [file(png, 'image/png', 'image[0]')], {}, "'image[0]'"],
    ['width', [file(png)], { width: '1024' }, "'width'"],
    ['height', [file(png)], { height: '1024' }, "'height'"],
    ['size', [file(png)], { size: '1024x1024' }, "'size'"],
    ['n', [file(png)], { n: '1' }, "'n'"],
    ['web_grounding', [file(png)], { web_grounding: 'true' }, "'web_grounding'"],
    ['an empty prompt', [file(png)], { prompt: '' }, "'prompt'"],
  ])('refuses %s in its own layout', async (_name, files, values, culprit) => {
    const response = await edit(files, values);
    const text = expect.stringContaining(culprit);
    expect([response.status, json(response)]).toEqual([
      400,
      { error: { code: 'unsupported_request_value', message: text, details: text } },
    ]);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 1 });
  });

  test('takes one image before 2.6', async () => {
    expect((await edit(several(2, 'image'), {}, 'MAI-Image-2.5')).status).toBe(400);
  });

  test.each([
    ['a field twice', [...fields({ model: 'MAI-Image-2.6' }), ...fields({ model: 'MAI-Image-2.6' }), file(png)]],
    ['a field after a file', [...fields({ model: 'MAI-Image-2.6' }), file(png), ...fields({ prompt: 'a hat' })]],
  ])('refuses %s', async (_name, parts) => {
    const response = await caller.send(edits, formHeaders, writeForm(parts));
    expect([response.status, json(response).error.code]).toEqual([400, 'unsupported_request_value']);
  });

  test('is a form, sent with a key, to a deployment of MAI-Image', async () => {
    const body = Buffer.from('{"model":"MAI-Image-2.6","prompt":"a hat"}');
    const asJson = await caller.send(edits, { 'content-type': 'application/json' }, body);
    expect([asJson.status, json(asJson).error.code]).toEqual([400, 'unsupported_content_type']);
    expect((await caller.send(edits, { ...formHeaders, 'api-key': 'wrong' }, writeForm([]))).status).toBe(401);
    for (const model of ['gpt-image-2', 'FLUX.2-pro', 'sora']) {
      expect([model, (await edit([file(png)], {}, model)).status]).toEqual([model, 404]);
    }
  });
});
