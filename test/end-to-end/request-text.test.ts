import { describe, expect, test } from 'vitest';
import { writeForm } from '../simulator/write-form.ts';
import {
  dataUrl,
  editForm,
  editsPath,
  expectError,
  expectHarmless,
  file,
  overlay,
  pngImage,
  post,
  receivedForms,
  sha256,
  startEdits,
} from './edits.ts';
import { generationsPath, startRig } from './rig.ts';

const json = { 'content-type': 'application/json' };
const latin1 = (text: string) => Buffer.from(text, 'latin1');

/** A JSON body for each of the two routes, around the member that a test is about. */
const bodies: Readonly<Record<string, (member: string) => Promise<string>>> = {
  [generationsPath]: async (member) => `{"n":1,${member}}`,
  [editsPath]: async (member) => `{"images":[{"image_url":"${dataUrl(await pngImage())}"}],${member}}`,
};

describe.each(Object.keys(bodies))('the text of a JSON body of %s', (path) => {
  const bodyOf = (member: string) => bodies[path]?.(member) ?? Promise.reject(new Error('no such route'));

  test.each<[string, Buffer]>([
    ['Latin-1', latin1('caf\xe9')],
    ['a character cut in two', Buffer.from('é').subarray(0, 1)],
    ['a surrogate in three bytes', Buffer.from([0xed, 0xa0, 0x80])],
    ['an overlong form', Buffer.from([0xc0, 0xaf])],
  ])('%s is a 400, and nothing is sent', async (_, bytes) => {
    const rig = await startEdits();
    const [before = '', after = ''] = (await bodyOf('"prompt":"#"')).split('#');
    const body = Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]);
    expectError(await post(rig.url, body, json, path), 400, 'invalid_json');
    await expectHarmless(rig);
  });

  test.each(['iso-8859-1', '"UTF-16"', 'utf-8; charset=latin1'])('of the charset %s is a 415', async (charset) => {
    const rig = await startEdits();
    const headers = { 'content-type': `application/json; charset=${charset}` };
    expectError(await post(rig.url, await bodyOf('"prompt":"a"'), headers, path), 415, 'unsupported_content_type');
    await expectHarmless(rig);
  });

  test.each(['utf-8', '"UTF-8"', 'utf8', 'US-ASCII', "'utf-8'"])('of the charset %s is taken', async (charset) => {
    const rig = await startEdits();
    const headers = { 'content-type': `application/json; charset=${charset}` };
    expect((await post(rig.url, await bodyOf('"prompt":"ä"'), headers, path)).status).toBe(200);
  });

  test.each(['"prompt":"a \\ud83d cat"', '"prompt":"a","user":"\\udc00"'])(
    'half of a surrogate pair is a 400 that names its parameter: %s',
    async (member) => {
      const rig = await startEdits();
      const param = member.includes('user') ? 'user' : 'prompt';
      expectError(await post(rig.url, await bodyOf(member), json, path), 400, 'invalid_value', param);
      await expectHarmless(rig);
    },
  );

  test.each([
    ['"prompt":"a","prompt":"b"', 'prompt'],
    ['"prompt":"a","prompt":"a"', 'prompt'],
    ['"prompt":"a","size":null,"size":"1024x1024"', 'size'],
    ['"prompt":"a","\\u0075ser":"me","user":"you"', 'user'],
  ])('a repeated member is a 400 that names it: %s', async (member, param) => {
    const rig = await startEdits();
    expectError(await post(rig.url, await bodyOf(member), json, path), 400, 'invalid_value', param);
    await expectHarmless(rig);
  });

  test('with a byte order mark, other scripts and the replacement character arrives as it is', async () => {
    const rig = await startEdits();
    const prompt = 'Zürich 😀 \ufffd 猫';
    const body = Buffer.from(`\ufeff${await bodyOf(`"prompt":"${prompt}"`)}`);
    expect((await post(rig.url, body, json, path)).status).toBe(200);
    const [received] = rig.simulator.ledger.requests;
    expect(JSON.stringify(received?.body)).toContain(prompt);
  });
});

describe('a generation', () => {
  test('whose parameter has a member twice is refused by name, and names in texts do not count', async () => {
    const rig = await startRig({ modelKeys: { parameters: 'pass' } });
    const send = (body: string) => post(rig.url, body, json, generationsPath);
    expectError(await send('{"prompt":"a","svg":{"model":"x","model":"y"}}'), 400, 'invalid_value', 'svg.model');
    expect(rig.paidPosts()).toEqual([]);
    await send('{"prompt":"\\"n\\":1,{\\"n\\":2","list":[{"a":1},{"a":2}],"a":{"prompt":1}}');
    expect(rig.paidPosts()).toHaveLength(1);
  });

  test('with half of a surrogate pair deep in a parameter is refused by its name', async () => {
    const rig = await startRig();
    for (const value of ['["\\ud800"]', '{"a":{"\\udfff":1}}']) {
      const response = await post(rig.url, `{"prompt":"a","hint":${value}}`, json, generationsPath);
      expectError(response, 400, 'invalid_value', 'hint');
    }
    expect(rig.paidPosts()).toEqual([]);
  });

  test('names a parameter in brackets as it was written', async () => {
    const rig = await startRig();
    const response = await post(rig.url, '{"prompt":"a","svg[model]":"x"}', json, generationsPath);
    expectError(response, 400, 'unsupported_parameter', 'svg[model]');
  });
});

describe('the text of a form', () => {
  const part = (head: string, content: Buffer | string = 'x') =>
    Buffer.concat([
      latin1(`--form-of-a-test\r\ncontent-disposition: form-data; ${head}\r\n\r\n`),
      Buffer.from(content as string),
      Buffer.from('\r\n'),
    ]);
  const formWith = async (...parts: Buffer[]) =>
    Buffer.concat([...parts, writeForm([file('image', await pngImage()), { name: 'prompt', text: 'a hat' }])]);

  test.each<[string, () => Buffer, string | null]>([
    ['a field in Latin-1', () => part('name="user"', latin1('caf\xe9')), 'user'],
    [
      'a field in Latin-1 that calls itself UTF-8',
      () => part('name="user"\r\ncontent-type: text/plain; charset=utf-8', latin1('caf\xe9')),
      'user',
    ],
    ['a field in UTF-16', () => part('name="user"', Buffer.from('cat', 'utf16le')), 'user'],
    ['a field whose name is Latin-1', () => part('name="us\xe9r"'), null],
    ['a file whose name is Latin-1', () => part('name="mask"; filename="caf\xe9.png"'), 'mask'],
  ])('%s is a 400, and nothing is sent', async (_, partOf, param) => {
    const rig = await startEdits();
    expectError(await post(rig.url, await formWith(partOf())), 400, 'invalid_value', param);
    await expectHarmless(rig);
  });

  test.each<[string, () => Buffer]>([
    ['a field', () => part('name="user"\r\ncontent-type: text/plain; charset=iso-8859-1', latin1('\xc3\xa9'))],
    ['the whole form', () => part('name="_charset_"', 'windows-1252')],
  ])('of another charset for %s is a 415', async (_, partOf) => {
    const rig = await startEdits();
    expectError(await post(rig.url, await formWith(partOf())), 415, 'unsupported_content_type');
    await expectHarmless(rig);
  });

  test('of UTF-8, declared or not, arrives as it is', async () => {
    const rig = await startEdits();
    const [user, hint] = ['Zürich \ufffd 😀', '\ufeff猫'];
    const form = await formWith(
      part('name="_charset_"', 'UTF-8'),
      part('name="user"\r\ncontent-type: text/plain; charset="UTF-8"', user),
      part('name="quality"\r\ncontent-type: text/plain; charset=us-ascii', 'low'),
      part('name="hint"', hint),
    );
    await post(rig.url, form);
    const sent = new Map(receivedForms(rig)[0]?.fields);
    expect([sent.get('user'), sent.get('quality'), sent.get('hint')]).toEqual([user, 'low', hint]);
    expect(sent.has('_charset_')).toBe(false);
  });
});

describe('what nobody has filled in', () => {
  test.each([
    ['mask', '', undefined],
    ['markup', '', 'application/octet-stream'],
    ['image[]', '', 'application/octet-stream'],
    ['mask', undefined, undefined],
  ])('the file %s with the name %j is none', async (name, filename, type) => {
    const rig = await startEdits();
    const empty = { name, bytes: Buffer.alloc(0), ...(filename !== undefined && { filename }), ...(type && { type }) };
    const response = await post(rig.url, editForm([file('image', await pngImage()), empty]));
    expect(response.status).toBe(200);
    expect(receivedForms(rig)[0]?.files.map(({ part }) => part)).toEqual(['image']);
  });

  test('a file with a name and no bytes is one that was lost', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', await pngImage()), file('mask', Buffer.alloc(0), 'mask.png')]);
    expectError(await post(rig.url, form), 400, 'invalid_image_file', 'mask');
    await expectHarmless(rig);
  });

  test('an image without a name is an image all the same', async () => {
    const rig = await startEdits();
    expect((await post(rig.url, editForm([file('image', await pngImage(), '')]))).status).toBe(200);
  });

  test.each(['null', '""'])('mask, markup and image are none where they are %s', async (nothing) => {
    const rig = await startEdits();
    const images = `"images":[{"image_url":"${dataUrl(await pngImage())}"}]`;
    const body = `{"prompt":"a",${images},"image":${nothing},"mask":${nothing},"markup":${nothing}}`;
    expect((await post(rig.url, body, json)).status).toBe(200);
    expect(receivedForms(rig)[0]?.files).toHaveLength(1);
  });
});

describe('an edit in JSON takes its images', () => {
  const url = async () => dataUrl(await overlay());

  test.each<[string, (url: string) => object, number]>([
    ['as one URL', (url) => ({ image: url }), 1],
    ['as a list of URLs', (url) => ({ image: [url, url] }), 2],
    ['as one object', (url) => ({ image: { url, type: 'image_url' } }), 1],
    ['as a list of objects', (url) => ({ image: [{ image_url: url }] }), 1],
    ['as one URL in `images`', (url) => ({ images: url }), 1],
    ['as URLs and objects in `images`', (url) => ({ images: [url, { image_url: url }, { url }] }), 3],
    ['as one object in `images`', (url) => ({ images: { image_url: url } }), 1],
    ['as parts of a chat', (url) => ({ images: [{ type: 'image_url', image_url: { url, detail: 'auto' } }] }), 1],
    ['with a mask as URL', (url) => ({ images: [url], mask: url }), 2],
    ['with a mask as an object', (url) => ({ images: [url], mask: { image_url: { url } } }), 2],
  ])('%s', async (_, members, count) => {
    const rig = await startEdits();
    const response = await post(rig.url, JSON.stringify({ prompt: 'a', ...members(await url()) }), json);
    expect(response.status).toBe(200);
    const sums = receivedForms(rig)[0]?.files.map((received) => received.sha256);
    expect(sums).toEqual(Array(count).fill(sha256(await overlay())));
  });

  test('once: a repeated member of a reference, or around it, is refused', async () => {
    const rig = await startEdits();
    const one = `"${await url()}"`;
    for (const [members, param] of [
      [`"mask":null,"image":${one},"mask":${one}`, 'mask'],
      [`"image":[],"image":[${one}]`, 'image'],
      [`"image":{"image_url":{"url":${one},"url":${one}}}`, 'image.image_url.url'],
      [`"image":{"type":"image_url","type":"image_url","url":${one}}`, 'image.type'],
    ]) {
      expectError(await post(rig.url, `{"prompt":"a",${members}}`, json), 400, 'invalid_value', param);
    }
    await expectHarmless(rig);
  });
});

test.each(['svg[model]', 'svg[reasoning][effort]', 'n[]'])(
  'a form names the field %s as it was written',
  async (name) => {
    const rig = await startEdits();
    const response = await post(rig.url, editForm([file('image', await pngImage())], { [name]: 'x' }));
    expectError(response, 400, 'unsupported_parameter', name);
    await expectHarmless(rig);
  },
);
