import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { asStream, cut, handwriting, writeJson } from '../helpers/json-text.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import {
  dataUrl,
  type EditResponse,
  editForm,
  expectError,
  expectHarmless,
  expectNothingLeft,
  file,
  json,
  overlay,
  padded,
  pngImage,
  post,
  postJson,
  receivedForms,
  sha256,
  startEdits,
} from './edits.ts';
import { readEvents } from './events.ts';
import { requestLines } from './rig.ts';
import { startStore } from './store.ts';

/** That the response is an image of this size. */
async function expectImage(response: EditResponse, width = 1024): Promise<void> {
  expect(response.status).toBe(200);
  const made = await sharp(Buffer.from(response.json().data[0]?.b64_json ?? '', 'base64')).metadata();
  expect([made.width, made.height]).toEqual([width, width]);
}

describe('a form', () => {
  test('with one image: its bytes go on unchanged, with the type, name and extension that they have', async () => {
    const rig = await startEdits();
    const image = await pngImage();
    await expectImage(await post(rig.url, editForm([file('image', image, 'secret/../me.exe')], { n: '1' })));
    const [form] = receivedForms(rig);
    expect(form).toEqual({
      fields: [['prompt', 'a hat']],
      files: [
        {
          part: 'image',
          filename: 'image-1.png',
          contentType: 'image/png',
          bytes: image.length,
          sha256: sha256(image),
        },
      ],
    });
    expect(rig.simulator.ledger.counts()).toMatchObject({ billed: 1, billedByOperation: { edit: 1 } });
    await expectNothingLeft(rig);
    expect(requestLines(rig)[0]).toMatchObject({ status: 200, route: '/v1/images/edits', images: 1 });
  });

  const colours = ['red', 'green', 'blue'] as const;
  test.each([
    ['a repeated image', ['image', 'image', 'image'], [0, 1, 2]],
    ['image[]', ['image[]', 'image[]', 'image[]'], [0, 1, 2]],
    ['image[0], image[1] and image[2] out of order', ['image[2]', 'image[0]', 'image[1]'], [1, 2, 0]],
    ['image and image[] mixed', ['image[]', 'image', 'image[]'], [0, 1, 2]],
    ['equal indices', ['image[1]', 'image[1]', 'image[0]'], [2, 0, 1]],
    ['an index beside none', ['image[1]', 'image', 'image[0]'], [0, 1, 2]],
  ])('with %s: the order is kept', async (_, names, order) => {
    const rig = await startEdits();
    const madeImages = await Promise.all(colours.map((colour) => pngImage(colour)));
    const files = names.map((name, index) => file(name, madeImages[index] as Buffer));
    await expectImage(await post(rig.url, editForm(files)));
    const sent = receivedForms(rig)[0]?.files ?? [];
    expect(sent.map(({ sha256 }) => sha256)).toEqual(order.map((index) => sha256(madeImages[index] as Buffer)));
    expect(sent.map(({ part, filename }) => [part, filename])).toEqual([
      ['image[]', 'image-1.png'],
      ['image[]', 'image-2.png'],
      ['image[]', 'image-3.png'],
    ]);
  });

  test('with the same image twice: both are sent', async () => {
    const rig = await startEdits();
    const image = await pngImage();
    expect((await post(rig.url, editForm([file('image[]', image), file('image[]', image)]))).status).toBe(200);
    expect(receivedForms(rig)[0]?.files.map(({ sha256 }) => sha256)).toEqual([sha256(image), sha256(image)]);
  });

  test('with 16 images and a mask: the mask comes last', async () => {
    const rig = await startEdits();
    const [image, mask] = [await pngImage(), await overlay()];
    const files = [file('mask', mask, 'm.png'), ...Array.from({ length: 16 }, () => file('image[]', image))];
    expect((await post(rig.url, editForm(files))).status).toBe(200);
    const parts = receivedForms(rig)[0]?.files.map(({ part }) => part);
    expect(parts).toEqual([...Array.from({ length: 16 }, () => 'image[]'), 'mask']);
  });

  test.each<[type: 'jpeg' | 'webp' | 'png']>([['jpeg'], ['webp'], ['png']])(
    'with a %s that is called something else: its own bytes decide',
    async (type) => {
      const rig = await startEdits();
      const image = await sharp(await pngImage())
        .toFormat(type)
        .toBuffer();
      for (const called of ['application/octet-stream', 'image/gif', 'text/plain']) {
        expect((await post(rig.url, editForm([file('image', image, 'blob', called)]))).status).toBe(200);
      }
      for (const { files } of receivedForms(rig)) {
        expect(files).toMatchObject([{ filename: `image-1.${type}`, contentType: `image/${type}` }]);
      }
    },
  );

  test('whose file has no file name, no type, or no end of line at its end: taken by its part’s name', async () => {
    const rig = await startEdits();
    const image = await pngImage();
    expect((await post(rig.url, editForm([{ name: 'image', bytes: image }]))).status).toBe(200);
    const bare = editForm([{ name: 'image', bytes: image }]).subarray(0, -2);
    expect((await post(rig.url, bare)).status).toBe(200);
    expect(receivedForms(rig).map(({ files }) => files[0]?.sha256)).toEqual([sha256(image), sha256(image)]);
  });

  test('whose fields stand behind its files: they come first upstream, numbers and booleans as such', async () => {
    const rig = await startEdits();
    const form = writeForm([
      file('image', await pngImage()),
      ...fields({ model: 'studio/poster', prompt: 'ein Hütchen 🎩', n: '2', stream: 'False', size: '1536x1024' }),
      ...fields({ output_format: 'jpeg', output_compression: '80', user: 'null', background: 'null' }),
    ]);
    const response = await post(rig.url, form);
    expect(response.status).toBe(200);
    expect(response.json().data).toHaveLength(2);
    expect(new Map(receivedForms(rig)[0]?.fields as [string, unknown][])).toEqual(
      new Map(
        Object.entries({
          model: 'gpt-image-1.5',
          prompt: 'ein Hütchen 🎩',
          n: '2',
          size: '1536x1024',
          output_format: 'jpeg',
          output_compression: '80',
        }),
      ),
    );
  });

  test.each([
    ['n', '2.0', 200],
    ['n', 'two', 400],
    ['n', '0x2', 400],
    ['n', '', 200],
    ['stream', '', 200],
    ['size', '', 200],
    ['model', '', 200],
    ['n', '11', 400],
    ['stream', 'TRUE', 200],
    ['stream', '1', 400],
    ['stream', 'yes', 400],
    ['output_compression', '100', 200],
    ['output_compression', '101', 400],
    ['response_format', 'b64_json', 200],
  ])('with the text %s=%j: %i', async (name, text, status) => {
    const rig = await startEdits();
    const response = await post(rig.url, editForm([file('image', await pngImage())], { [name]: text }));
    expect(response.status).toBe(status);
    if (status === 400) expectError(response, 400, 'invalid_value', name);
    else expect(rig.simulator.ledger.counts().billed).toBe(1);
  });

  test('whose field says that it is JSON: a number counts, an object is refused', async () => {
    const rig = await startEdits();
    const image = await pngImage();
    const form = (name: string, text: string) =>
      Buffer.from(
        editForm([file('image', image)], {})
          .toString('latin1')
          .replace(
            '--form-of-a-test--',
            `--form-of-a-test\r\ncontent-disposition: form-data; name="${name}"\r\ncontent-type: application/json\r\n\r\n${text}\r\n--form-of-a-test--`,
          ),
        'latin1',
      );
    expectError(await post(rig.url, form('hint', '{"a":[1]}')), 400, 'invalid_value', 'hint');
    expectError(await post(rig.url, form('hint', '{broken')), 400, 'invalid_value', 'hint');
    await expectHarmless(rig);
    expect((await post(rig.url, form('n', '2'))).json().data).toHaveLength(2);
  });

  test('in chunks without a length, cut anywhere', async () => {
    const rig = await startEdits();
    const image = padded(await pngImage(), 300_000);
    const form = editForm([file('image', image)]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(form.length), { maxLength: 12 }), async (places) => {
        const cuts = [0, ...places.toSorted((one, other) => one - other), form.length];
        const pieces = cuts.slice(1).map((end, index) => form.subarray(cuts[index], end));
        const body = ReadableStream.from(asStream(pieces.filter((piece) => piece.length > 0)));
        const response = await post(rig.url, body, formHeaders);
        expect(response.status).toBe(200);
        expect(receivedForms(rig).at(-1)?.files[0]?.sha256).toBe(sha256(image));
      }),
      { numRuns: 8 },
    );
    await expectNothingLeft(rig);
  });

  test('with bytes before and behind it: they are ignored, and the connection lives on', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', await pngImage())]);
    const around = Buffer.concat([Buffer.from('hello\r\n'), form, Buffer.alloc(3_000_000, 'z')]);
    const responses = await Promise.all([post(rig.url, around), post(rig.url, around)]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    await expectNothingLeft(rig);
  });

  test('with a quoted boundary, or one that looks like an image’s bytes', async () => {
    const rig = await startEdits();
    for (const boundary of ["'()+_,-./:=?", 'x'.repeat(70), '-----PNG']) {
      const form = Buffer.from(
        editForm([file('image', await pngImage())])
          .toString('latin1')
          .replaceAll('form-of-a-test', boundary),
        'latin1',
      );
      const response = await post(rig.url, form, {
        'content-type': `Multipart/Form-Data; charset=utf-8; boundary="${boundary}"`,
      });
      expect(response.status).toBe(200);
    }
  });
});

describe('targets', () => {
  test.each([
    ['image', undefined],
    ['gpt-image-1', undefined],
    ['studio/poster', 'gpt-image-1.5'],
    ['marked', 'gpt-image-2.5'],
  ])('%s: the upstream gets the model %s', async (model, sentModel) => {
    const rig = await startEdits();
    const response = await post(rig.url, editForm([file('image', await pngImage())], { model }));
    expect(response.status).toBe(200);
    const { fields = [] } = receivedForms(rig)[0] ?? {};
    expect(fields.find(([name]) => name === 'model')?.[1]).toBe(sentModel);
    const path = sentModel === undefined ? '/openai/deployments/gpt-image-2/images/edits' : '/openai/v1/images/edits';
    expect(rig.simulator.ledger.requests[0]).toMatchObject({ path, method: 'POST' });
  });

  test('dall-e-3 edits nothing: refused before any call', async () => {
    const rig = await startEdits();
    const response = await post(rig.url, editForm([file('image', await pngImage())], { model: 'dall-e-3' }));
    expectError(response, 400, 'unsupported_operation', 'model');
    await expectHarmless(rig);
  });

  test('a model that nobody knows', async () => {
    const rig = await startEdits();
    const response = await post(rig.url, editForm([file('image', await pngImage())], { model: 'gpt-image-9' }));
    expectError(response, 404, 'model_not_found', 'model');
    await expectHarmless(rig);
  });
});

describe('masks and markups', () => {
  test('a mask goes along', async () => {
    const rig = await startEdits();
    const mask = await overlay();
    expect((await post(rig.url, editForm([file('mask', mask), file('image', await pngImage())]))).status).toBe(200);
    expect(receivedForms(rig)[0]?.files[1]).toMatchObject({
      part: 'mask',
      filename: 'mask.png',
      contentType: 'image/png',
      sha256: sha256(mask),
    });
  });

  test('a markup is sent to a model that knows it, and refused for others', async () => {
    const rig = await startEdits();
    const files = [file('image', await pngImage()), file('markup', await overlay())];
    expectError(await post(rig.url, editForm(files)), 400, 'unsupported_parameter', 'markup');
    expect(rig.simulator.ledger.requests).toEqual([]);
    expect((await post(rig.url, editForm(files, { model: 'marked' }))).status).toBe(200);
    expect(receivedForms(rig)[0]?.files[1]).toMatchObject({ part: 'markup', filename: 'markup.png' });
  });

  test('a mask and a markup together are refused', async () => {
    const rig = await startEdits();
    const files = ['mask', 'markup'].map(async (name) => file(name, await overlay()));
    const form = editForm([file('image', await pngImage()), ...(await Promise.all(files))], { model: 'marked' });
    expectError(await post(rig.url, form), 400, 'invalid_value', 'markup');
    await expectHarmless(rig);
  });

  test.each<['mask' | 'markup', string, () => Promise<Buffer>]>([
    ['mask', 'of another size', () => overlay(64, 32)],
    ['mask', 'without an alpha channel', () => pngImage()],
    [
      'mask',
      'that is a JPEG',
      async () =>
        sharp(await pngImage())
          .jpeg()
          .toBuffer(),
    ],
    [
      'mask',
      'that is a WebP with an alpha channel',
      async () =>
        sharp(await overlay())
          .webp()
          .toBuffer(),
    ],
    ['mask', 'that is empty', async () => Buffer.alloc(0)],
    ['markup', 'of another size', () => overlay(128)],
    ['markup', 'without an alpha channel', () => pngImage()],
  ])('a %s %s is refused', async (name, _, bytes) => {
    const rig = await startEdits();
    const form = editForm([file('image', await pngImage()), file(name, await bytes())], { model: 'marked' });
    expectError(await post(rig.url, form), 400, 'invalid_image_file', name);
    await expectHarmless(rig);
  });

  test('a mask whose palette has transparent colours counts as one with an alpha channel', async () => {
    const rig = await startEdits();
    const mask = await sharp(await overlay())
      .png({ palette: true })
      .toBuffer();
    expect((await post(rig.url, editForm([file('image', await pngImage()), file('mask', mask)]))).status).toBe(200);
  });
});

describe('parameters', () => {
  test.each([
    ['image', 'high', 200],
    ['image', 'low', 400],
    ['studio/poster', 'high', 200],
    ['studio/poster', 'low', 200],
    ['studio/poster', 'medium', 400],
    ['mini', 'low', 200],
    ['mini', 'high', 400],
  ])('input_fidelity, strictly: %s with %s: %i', async (model, fidelity, status) => {
    const rig = await startEdits({ modelKeys: { parameters: 'strict' } });
    const form = editForm([file('image', await pngImage())], { model, input_fidelity: fidelity });
    const response = await post(rig.url, form);
    expect(response.status).toBe(status);
    const sent = new Map(receivedForms(rig)[0]?.fields);
    // What gpt-image-2 does anyway is not sent.
    if (status === 200) expect(sent.get('input_fidelity')).toBe(model === 'image' ? undefined : fidelity);
    else expect([response.json().error.param, rig.simulator.ledger.requests]).toEqual(['input_fidelity', []]);
  });

  test('input_fidelity cannot be adapted for gpt-image-2: it would mean another image', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', await pngImage())], { input_fidelity: 'low' });
    expectError(await post(rig.url, form), 400, 'unsupported_parameter', 'input_fidelity');
    await expectHarmless(rig);
  });

  test('passed: what the family does not know goes on as it came, and its refusal comes back', async () => {
    const rig = await startEdits({ modelKeys: { parameters: 'pass' } });
    const form = editForm([file('image', await pngImage())], { input_fidelity: 'high', moderation: 'low' });
    const response = await post(rig.url, form);
    expect(response.status).toBe(400);
    expect(response.json().error.param).toBe('input_fidelity');
    const sent = new Map(receivedForms(rig)[0]?.fields);
    expect([sent.get('input_fidelity'), sent.get('moderation')]).toEqual(['high', 'low']);
    await expectNothingLeft(rig);
  });

  test('an extra parameter goes along as text', async () => {
    const rig = await startEdits({ modelKeys: { parameters: 'pass' } });
    await post(rig.url, editForm([file('image', await pngImage())], { complexity: '3' }));
    expect(new Map(receivedForms(rig)[0]?.fields).get('complexity')).toBe('3');
  });
});

describe('delivery', () => {
  test('as base64, where that is said', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', await pngImage())], { response_format: 'b64_json' });
    await expectImage(await post(rig.url, form));
    expect(new Map(receivedForms(rig)[0]?.fields).has('response_format')).toBe(false);
  });

  test('as a link to a hosted image', async () => {
    const { store } = await startStore();
    const rig = await startEdits({ store });
    const form = editForm([file('image', await pngImage())], { response_format: 'url', n: '2' });
    const response = await post(rig.url, form);
    expect(response.status).toBe(200);
    const links = response.json().data.map(({ url = '' }) => url);
    for (const link of links) expect((await fetch(link)).headers.get('content-type')).toBe('image/png');
    expect(links).toHaveLength(2);
    await expectNothingLeft(rig);
  });

  test('as a link where none are hosted is refused', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', await pngImage())], { response_format: 'url' });
    expectError(await post(rig.url, form), 400, 'unsupported_parameter', 'response_format');
    await expectHarmless(rig);
  });
});

describe('streams', () => {
  test('carry the events of an edit', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', await pngImage())], { stream: 'true', partial_images: '2' });
    const response = await post(rig.url, form);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const events = readEvents(response.text);
    expect(events.map(({ name }) => name)).toEqual([
      'image_edit.partial_image',
      'image_edit.partial_image',
      'image_edit.completed',
    ]);
    expect(events.map(({ data }) => data.type)).toEqual(events.map(({ name }) => name));
    await expectNothingLeft(rig);
  });

  test('of three images are three calls, each with the whole upload', async () => {
    const rig = await startEdits();
    const [image, mask] = [padded(await pngImage(), 3_000_000), await overlay()];
    const form = editForm([file('image', image), file('mask', mask)], { stream: 'true', n: '3' });
    const response = await post(rig.url, form);
    const events = readEvents(response.text);
    expect(events.map(({ name }) => name)).toEqual(Array.from({ length: 3 }, () => 'image_edit.completed'));
    const sent = receivedForms(rig).map(({ files }) => files.map(({ sha256 }) => sha256));
    expect(sent).toEqual(Array.from({ length: 3 }, () => [sha256(image), sha256(mask)]));
    await expectNothingLeft(rig);
  });

  test('that are refused before anything is sent are ordinary errors', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', Buffer.from('no image'))], { stream: 'true' });
    expectError(await post(rig.url, form), 400, 'invalid_image_file', 'image');
    await expectHarmless(rig);
  });
});

describe('a JSON body', () => {
  const image = () => pngImage();

  test('with data URLs: images and mask go on as files', async () => {
    const rig = await startEdits();
    const madeImages = [
      await image(),
      await sharp(await pngImage('red'))
        .jpeg()
        .toBuffer(),
    ] as const;
    const mask = await overlay();
    const response = await postJson(rig.url, {
      model: 'studio/poster',
      prompt: 'a hat',
      images: [{ image_url: dataUrl(madeImages[0]) }, { image_url: dataUrl(madeImages[1], 'image/jpeg') }],
      mask: { image_url: dataUrl(mask) },
      n: 1,
      quality: 'low',
      moderation: 'auto',
      user: null,
    });
    await expectImage(response);
    expect(receivedForms(rig)[0]).toMatchObject({
      fields: [
        ['model', 'gpt-image-1.5'],
        ['prompt', 'a hat'],
        ['quality', 'low'],
      ],
      files: [
        { part: 'image[]', filename: 'image-1.png', sha256: sha256(madeImages[0]) },
        { part: 'image[]', filename: 'image-2.jpeg', sha256: sha256(madeImages[1]) },
        { part: 'mask', filename: 'mask.png', sha256: sha256(mask) },
      ],
    });
    await expectNothingLeft(rig);
  });

  test('in any handwriting and cut anywhere: the same bytes arrive', async () => {
    const rig = await startEdits();
    const madeImages = [padded(await image(), 5_000), await pngImage('blue')];
    const broken = dataUrl(madeImages[1] as Buffer).replace(/(.{76})/g, '$1\n');
    const body = {
      images: [{ image_url: dataUrl(madeImages[0] as Buffer) }, { image_url: broken }],
      prompt: 'a "hat" \\ 🎩 /',
      user: null,
    };
    await fc.assert(
      fc.asyncProperty(handwriting, async (hand) => {
        const chunks = cut(Buffer.from(writeJson(body, hand)), { dice: () => 0.3 + hand.dice() * 0.7 });
        const stream = ReadableStream.from(asStream(joined(chunks, hand.dice)));
        const response = await post(rig.url, stream, json);
        expect(response.status).toBe(200);
        const { fields, files } = receivedForms(rig).at(-1) ?? {};
        expect(fields).toEqual([['prompt', body.prompt]]);
        expect(files?.map(({ sha256 }) => sha256)).toEqual(madeImages.map(sha256));
      }),
      { numRuns: 12 },
    );
  });

  test('of 20 MB, streamed', async () => {
    const rig = await startEdits();
    const large = padded(await image(), 15_000_000);
    const response = await postJson(rig.url, {
      stream: true,
      images: [{ image_url: dataUrl(large).replaceAll('/', '\\/').replaceAll('\\', '') }],
      prompt: 'a hat',
    });
    expect(readEvents(response.text).map(({ name }) => name)).toEqual(['image_edit.completed']);
    expect(receivedForms(rig)[0]?.files[0]).toMatchObject({ bytes: 15_000_000, sha256: sha256(large) });
    await expectNothingLeft(rig);
  });

  test('with a prompt of 32,000 characters, each of them escaped', async () => {
    const rig = await startEdits();
    const escaped = '\\u00e4'.repeat(32_000);
    const response = await postJson(
      rig.url,
      `{"prompt":"${escaped}","images":[{"image_url":"${dataUrl(await image())}"}]}`,
    );
    expect(response.status).toBe(200);
    expect(new Map(receivedForms(rig)[0]?.fields).get('prompt')).toBe('ä'.repeat(32_000));
  });

  test('that begins with a byte order mark, and has a charset', async () => {
    const rig = await startEdits();
    const text = `\ufeff${JSON.stringify({ prompt: 'a', images: [{ image_url: dataUrl(await image()) }] })}`;
    const response = await post(rig.url, text, { 'content-type': 'application/json; charset=utf-8' });
    expect(response.status).toBe(200);
  });

  const good = async () => ({ image_url: dataUrl(await image()) });
  test.each<[string, (one: { image_url: string }) => unknown, string, string | null]>([
    [
      'an https link',
      () => ({ images: [{ image_url: 'https://example.com/a.png' }] }),
      'unsupported_parameter',
      'images[0].image_url',
    ],
    [
      'an https link as mask',
      (one) => ({ images: [one], mask: { image_url: 'https://example.com/a.png' } }),
      'unsupported_parameter',
      'mask.image_url',
    ],
    [
      'an http link',
      () => ({ images: [{ image_url: 'http://example.com/a.png' }] }),
      'invalid_value',
      'images[0].image_url',
    ],
    ['a file link', () => ({ images: [{ image_url: 'file:///etc/passwd' }] }), 'invalid_value', 'images[0].image_url'],
    [
      'an endless link',
      () => ({ images: [{ image_url: `https://example.com/${'a'.repeat(100_000)}` }] }),
      'invalid_value',
      'images[0].image_url',
    ],
    ['a file_id', () => ({ images: [{ file_id: 'file-1' }] }), 'unsupported_parameter', 'images[0].file_id'],
    [
      'a file_id beside an image',
      (one) => ({ images: [{ ...one, file_id: 'file-1' }] }),
      'unsupported_parameter',
      'images[0].file_id',
    ],
    [
      'a file_id as mask',
      (one) => ({ images: [one], mask: { file_id: 'file-1' } }),
      'unsupported_parameter',
      'mask.file_id',
    ],
    [
      'an unknown member of a reference',
      (one) => ({ images: [{ ...one, detail: 'high' }] }),
      'unknown_parameter',
      'images[0].detail',
    ],
    [
      'a reference without an image',
      (one) => ({ images: [one, {}] }),
      'missing_required_parameter',
      'images[1].image_url',
    ],
    ['a mask without an image', (one) => ({ images: [one], mask: {} }), 'missing_required_parameter', 'mask.image_url'],
    ['image_url null', () => ({ images: [{ image_url: null }] }), 'invalid_value', 'images[0].image_url'],
    ['image_url a number', () => ({ images: [{ image_url: 7 }] }), 'invalid_value', 'images[0].image_url'],
    [
      'image_url an object without a URL',
      () => ({ images: [{ image_url: {} }] }),
      'missing_required_parameter',
      'images[0].image_url.url',
    ],
    [
      'image_url an object with more',
      (one) => ({ images: [{ image_url: { url: one.image_url, detail: 'high' } }] }),
      'unknown_parameter',
      'images[0].image_url.detail',
    ],
    [
      'two URLs of one image',
      (one) => ({ images: [{ ...one, url: one.image_url }] }),
      'invalid_value',
      'images[0].url',
    ],
    ['image beside images', (one) => ({ image: one, images: [one] }), 'invalid_value', 'image'],
    ['image as a number', () => ({ image: 7 }), 'invalid_value', 'image'],
    ['image empty', () => ({ image: '' }), 'missing_required_parameter', 'images'],
    [
      'a large image that is none',
      () => ({ image: `data:image/png;base64,${'A'.repeat(400_000)}` }),
      'invalid_image_file',
      'image',
    ],
    ['image as base64 alone', () => ({ image: 'iVBORw0KGgo=' }), 'invalid_value', 'image'],
    ['a link as image', () => ({ image: 'https://example.com/a.png' }), 'unsupported_parameter', 'image'],
    ['a link of other characters', () => ({ image: 'https://example.com/ä.png' }), 'invalid_value', 'image'],
    ['images missing', () => ({}), 'missing_required_parameter', 'images'],
    ['images []', () => ({ images: [] }), 'missing_required_parameter', 'images'],
    ['images null', () => ({ images: null }), 'missing_required_parameter', 'images'],
    ['images as large text', () => ({ images: 'A'.repeat(400_000) }), 'invalid_value', 'images'],
    ['images with an empty text', (one) => ({ images: [one, ''] }), 'invalid_value', 'images[1]'],
    ['images with a large text', (one) => ({ images: [one, 'A'.repeat(400_000)] }), 'invalid_value', 'images[1]'],
    ['images with null', (one) => ({ images: [null, one] }), 'invalid_value', 'images[0]'],
    ['17 images', (one) => ({ images: Array(17).fill(one) }), 'invalid_value', 'images'],
    [
      'a mask that is no PNG',
      (one) => ({ images: [one], mask: { image_url: 'data:image/png;base64,AAAA' } }),
      'invalid_image_file',
      'mask.image_url',
    ],
    [
      'an empty image',
      () => ({ images: [{ image_url: 'data:image/png;base64,' }] }),
      'invalid_image_file',
      'images[0].image_url',
    ],
    ['an empty image_url', () => ({ images: [{ image_url: '' }] }), 'invalid_value', 'images[0].image_url'],
    [
      'a data URL that is not base64',
      () => ({ images: [{ image_url: 'data:image/png,%89PNG' }] }),
      'invalid_value',
      'images[0].image_url',
    ],
    [
      'a data URL without an end of its head',
      () => ({ images: [{ image_url: `data:${'a'.repeat(5_000)}` }] }),
      'invalid_value',
      'images[0].image_url',
    ],
    [
      'damaged base64',
      (one) => ({ images: [{ image_url: one.image_url.replace('base64,iVBO', 'base64,iV*O') }] }),
      'invalid_image_file',
      'images[0].image_url',
    ],
    [
      'base64 with a hole',
      (one) => ({ images: [{ image_url: one.image_url.replace('base64,iVBO', 'base64,iV%4') }] }),
      'invalid_image_file',
      'images[0].image_url',
    ],
    ['a nested parameter', (one) => ({ images: [one], size: { width: 1 } }), 'invalid_value', 'size'],
    ['a list as parameter', (one) => ({ images: [one], user: ['a'] }), 'invalid_value', 'user'],
    ['n as text', (one) => ({ images: [one], n: '1' }), 'invalid_value', 'n'],
    ['stream as text', (one) => ({ images: [one], stream: 'true' }), 'invalid_value', 'stream'],
    ['an endless prompt', (one) => ({ images: [one], prompt: 'x'.repeat(600_000) }), 'invalid_value', 'prompt'],
    [
      'a prompt of 32,001 characters',
      (one) => ({ images: [one], prompt: 'x'.repeat(32_001) }),
      'invalid_value',
      'prompt',
    ],
    ['no prompt', (one) => ({ images: [one], prompt: null }), 'missing_required_parameter', 'prompt'],
  ])('with %s is refused', async (_, members, code, param) => {
    const rig = await startEdits();
    const body = { prompt: 'a hat', ...(members(await good()) as object) };
    expectError(await postJson(rig.url, body), 400, code, param);
    await expectHarmless(rig);
  });

  test.each<[string, (one: string) => string, string, string | null]>([
    ['invalid JSON', (one) => `{"prompt":"a","images":[${one}],}`, 'invalid_json', null],
    ['JSON that ends early', (one) => `{"prompt":"a","images":[${one}]`, 'invalid_json', null],
    ['an image that ends early', (one) => `{"prompt":"a","images":[${one.slice(0, -20)}`, 'invalid_json', null],
    ['nothing', () => '', 'invalid_json', null],
    ['a list', (one) => `[{"prompt":"a","images":[${one}]}]`, 'invalid_value', null],
    ['a long list', () => `[${'7,'.repeat(300_000)}7]`, 'invalid_value', null],
    ['a text', () => '"hello"', 'invalid_value', null],
    ['null', () => 'null', 'invalid_value', null],
    ['__proto__', (one) => `{"prompt":"a","images":[${one}],"__proto__":{"n":2}}`, 'invalid_value', '__proto__'],
    ['__proto__ as text', (one) => `{"prompt":"a","images":[${one}],"__proto__":"x"}`, 'invalid_value', null],
    [
      '__proto__ in a reference',
      () => '{"prompt":"a","images":[{"__proto__":{"image_url":"x"}}]}',
      'unknown_parameter',
      'images[0].__proto__',
    ],
    [
      'constructor',
      (one) => `{"prompt":"a","images":[${one}],"constructor":{"prototype":{"n":2}}}`,
      'invalid_value',
      'constructor',
    ],
    [
      '1,000 levels',
      (one) => `{"prompt":"a","images":[${one}],"x":${'['.repeat(1000)}${']'.repeat(1000)}}`,
      'invalid_value',
      'x',
    ],
    [
      '1,000 levels in images',
      () => `{"prompt":"a","images":${'['.repeat(1000)}${']'.repeat(1000)}}`,
      'invalid_value',
      'images[0]',
    ],
    [
      'images twice',
      (one) => `{"prompt":"a","images":[${one}],"images":[${one}]}`,
      'invalid_value',
      'images[0].image_url',
    ],
    [
      'an image twice',
      (one) => `{"prompt":"a","images":[{${one.slice(1, -1)},${one.slice(1, -1)}}]}`,
      'invalid_value',
      'images[0].image_url',
    ],
    [
      'a mask twice',
      (one) => `{"prompt":"a","images":[${one}],"mask":${one},"mask":${one}}`,
      'invalid_value',
      'mask.image_url',
    ],
    ['model twice', (one) => `{"prompt":"a","images":[${one}],"model":"a","model":"b"}`, 'invalid_value', 'model'],
    ['a name of any characters', (one) => `{"prompt":"a","images":[${one}],"\\u0000\\n":1}`, 'invalid_value', null],
    ['an endless name', (one) => `{"prompt":"a","images":[${one}],"${'x'.repeat(100_000)}":1}`, 'invalid_value', null],
  ])('of %s is refused', async (_, write, code, param) => {
    const rig = await startEdits();
    const response = await postJson(rig.url, write(JSON.stringify(await good())));
    expectError(response, 400, code, param);
    await expectHarmless(rig);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/mixed; boundary=a', 'image/png'])(
    'of the type %s is refused',
    async (type) => {
      const rig = await startEdits();
      const response = await post(rig.url, JSON.stringify({ prompt: 'a', images: [await good()] }), {
        'content-type': type,
      });
      expectError(response, 415, 'unsupported_content_type');
      await expectHarmless(rig);
    },
  );
});

/** Chunks as a few larger ones, so that a body is not sent in hundreds of packets. */
function joined(chunks: readonly Buffer[], dice: () => number): Buffer[] {
  const pieces: Buffer[][] = [[]];
  for (const chunk of chunks) {
    if (dice() < 0.02) pieces.push([]);
    pieces.at(-1)?.push(chunk);
  }
  return pieces.map((piece) => Buffer.concat(piece)).filter((piece) => piece.length > 0);
}
