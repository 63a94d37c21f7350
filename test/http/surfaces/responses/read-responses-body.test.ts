import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InputReference } from '../../../../src/domain/image-input.ts';
import type { ResponsesBody } from '../../../../src/http/surfaces/responses/read-responses-body.ts';
import { dataUrl, overlay, padded, pngImage, sha256 } from '../../../end-to-end/edits.ts';
import { cut, handwriting, writeJson } from '../../../helpers/json-text.ts';
import { readBody, readChunks } from './read-body.ts';

const hashes = ({ images }: ResponsesBody) => images.map((image) => ('item' in image ? image.item : image.sha256));

test('a body in any handwriting, cut anywhere, gives the same request', async () => {
  const [one, two, mask] = [padded(await pngImage(), 3_000), await pngImage('red'), await overlay()];
  const body = {
    model: 'gpt-5.5',
    instructions: 'Zeichne "flach".',
    input: [
      { role: 'developer', content: 'No text.' },
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'ein Hütchen 🎩' },
          { type: 'input_image', image_url: dataUrl(one), detail: 'high' },
        ],
      },
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm.' }] },
      { type: 'image_generation_call', id: 'ig_a', status: 'completed', result: two.toString('base64'), size: 'auto' },
      { type: 'image_generation_call', id: 'ig_b', status: 'completed', result: null },
      { id: 'msg_1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Here it is.' }] },
      { role: 'user', content: 'Make it red.' },
    ],
    tools: [
      {
        type: 'image_generation',
        model: 'poster',
        size: '1024x1024',
        partial_images: 2,
        input_image_mask: { image_url: dataUrl(mask) },
        action: 'edit',
      },
    ],
    stream: true,
    temperature: 0.2,
    metadata: { order: '7' },
    user: null,
  };
  await fc.assert(
    fc.asyncProperty(handwriting, async (hand) => {
      const { inputs, read } = await readChunks(cut(Buffer.from(writeJson(body, hand)), hand));
      const ours = (await read) as ResponsesBody;
      expect(ours.names).toEqual({ agent: undefined, tool: 'poster', model: 'gpt-5.5' });
      expect(ours.prompt).toBe('Zeichne "flach".\n\nNo text.\n\nein Hütchen 🎩\n\nMake it red.');
      expect(hashes(ours)).toEqual([sha256(one), sha256(two), 'ig_b']);
      expect(ours).toMatchObject({
        mask: { sha256: sha256(mask), hasAlpha: true },
        action: 'edit',
        options: { size: '1024x1024', partial_images: 2 },
        members: { stream: true, background: false, store: true, metadata: { order: '7' } },
        ignored: ['temperature', 'input.reasoning', 'input.output_text'],
      });
      expect(ours.echo.tools).toEqual([{ ...body.tools[0], input_image_mask: {} }]);
      const bytes = Buffer.concat(await Array.fromAsync(inputs.open(ours.images[0] as InputReference)));
      expect(bytes.equals(one)).toBe(true);
    }),
    { numRuns: 30 },
  );
});

test('a text as input is the prompt, and needs no tool', async () => {
  expect(await readBody({ model: 'image', input: 'a cat' })).toMatchObject({
    names: { model: 'image' },
    prompt: 'a cat',
    images: [],
    mask: undefined,
    action: 'auto',
    options: {},
    ignored: [],
  });
});

describe('an image of the input', () => {
  test.each([
    ['an item reference', { type: 'item_reference', id: 'ig_1' }],
    ['an item reference without a type', { id: 'ig_1' }],
    ['an item reference whose type is null', { type: null, id: 'ig_1' }],
    ['a call without its result', { type: 'image_generation_call', id: 'ig_1' }],
  ])('may be %s', async (_, item) => {
    expect(hashes(await readBody({ input: [{ role: 'user', content: 'a' }, item] }))).toEqual(['ig_1']);
  });

  test('may be an object with a URL, as in a chat', async () => {
    const png = await pngImage();
    const image = { type: 'input_image', image_url: { url: dataUrl(png), detail: 'auto' } };
    const text = { type: 'input_text', text: 'a' };
    expect(hashes(await readBody({ input: [{ role: 'user', content: [image, text] }] }))).toEqual([sha256(png)]);
  });

  test('is fetched from a link after the body has ended', async () => {
    const png = await pngImage();
    const image = { type: 'input_image', image_url: 'https://images.example/one.png' };
    const links: string[] = [];
    const body = await readBody(
      { instructions: 'a', input: [{ role: 'user', content: [image] }] },
      {
        download: async (link) => {
          links.push(link);
          return { bytes: Readable.from([png]), mediaType: 'image/png' };
        },
      },
    );
    expect([hashes(body), links]).toEqual([[sha256(png)], ['https://images.example/one.png']]);
  });

  test('is none where its call has failed', async () => {
    const failed = { type: 'image_generation_call', id: 'ig_1', status: 'failed', result: null };
    const body = await readBody({ input: [{ role: 'user', content: 'a' }, failed] });
    expect([body.images, body.ignored]).toEqual([[], ['input.image_generation_call']]);
  });
});

test('members that mean nothing to an image model are reported, and null is none', async () => {
  const { ignored, echo } = await readBody({
    input: 'a',
    ...{ top_p: 0.5, reasoning: { effort: 'low' }, text: { verbosity: 'low' }, include: [], max_output_tokens: null },
    ...{ prompt_cache_key: 'k', service_tier: 'auto', stream_options: { include_obfuscation: false } },
  });
  expect(ignored).toEqual([
    ...['top_p', 'reasoning', 'text', 'include', 'service_tier', 'stream_options', 'prompt_cache_key'],
  ]);
  expect(echo).toMatchObject({
    top_p: 0.5,
    temperature: null,
    text: { verbosity: 'low' },
    tool_choice: 'auto',
    tools: [],
  });
});

test('an agent of either spelling names the model', async () => {
  const agent = { name: 'poster', type: 'agent_reference', version: '3' };
  expect((await readBody({ input: 'a', agent_reference: agent })).names.agent).toBe('poster');
  expect((await readBody({ input: 'a', agent })).names.agent).toBe('poster');
});

const message = (...content: object[]) => ({ input: [{ role: 'user', content }] });
const withTool = (options: object) => ({ input: 'a', tools: [{ type: 'image_generation', ...options }] });

test.each<[what: string, body: unknown, kind: string, param: string | undefined]>([
  ['no JSON', '{"input":', 'invalid_json', undefined],
  ['a list', [], 'invalid_value', undefined],
  ['a text', '"a"', 'invalid_value', undefined],
  ['no input', { model: 'image' }, 'missing_required_parameter', 'input'],
  ['an empty input', { input: '' }, 'missing_required_parameter', 'input'],
  ['images without a text', { input: [{ id: 'ig_1' }] }, 'missing_required_parameter', 'input'],
  ['an object as input', { input: {} }, 'invalid_value', 'input'],
  ['a text as item', { input: ['a'] }, 'invalid_value', 'input[0]'],
  ['an empty item', { input: [{}] }, 'missing_required_parameter', 'input[0].type'],
  ['an unknown item', { input: [{ id: 'a' }, { type: 'film', id: 'b' }] }, 'invalid_value', 'input[1].type'],
  ['an unknown role', { input: [{ role: 'tool', content: 'a' }] }, 'invalid_value', 'input[0].role'],
  ['a message without a role', { input: [{ content: 'a' }] }, 'missing_required_parameter', 'input[0].role'],
  ['a message without content', { input: [{ role: 'user' }] }, 'missing_required_parameter', 'input[0].content'],
  ['a message with more', { input: [{ role: 'user', content: 'a', x: 1 }] }, 'unknown_parameter', 'input[0].x'],
  ['a number as content', { input: [{ role: 'user', content: 1 }] }, 'invalid_value', 'input[0].content'],
  ['a text as part', { input: [{ role: 'user', content: ['a'] }] }, 'invalid_value', 'input[0].content[0]'],
  ['an unknown part', message({ type: 'input_file' }), 'invalid_value', 'input[0].content[0].type'],
  ['a part without type', message({ text: 'a' }), 'missing_required_parameter', 'input[0].content[0].type'],
  ['a text without text', message({ type: 'input_text' }), 'missing_required_parameter', 'input[0].content[0].text'],
  ['a file id', message({ type: 'input_image', file_id: 'f' }), 'unsupported_parameter', 'input[0].content[0].file_id'],
  ['no URL', message({ type: 'input_image' }), 'missing_required_parameter', 'input[0].content[0].image_url'],
  ['an empty URL', message({ type: 'input_image', image_url: '' }), 'invalid_value', 'input[0].content[0].image_url'],
  ['a number as URL', message({ type: 'input_image', image_url: 1 }), 'invalid_value', 'input[0].content[0].image_url'],
  [
    'an object without URL',
    message({ type: 'input_image', image_url: {} }),
    'missing_required_parameter',
    'input[0].content[0].image_url.url',
  ],
  [
    'a link where none is fetched',
    { instructions: 'a', ...message({ type: 'input_image', image_url: 'https://a.example/' }) },
    'unsupported_parameter',
    'input[0].content[0].image_url',
  ],
  ['a call without id', { input: [{ type: 'image_generation_call' }] }, 'missing_required_parameter', 'input[0].id'],
  [
    'a call without base64',
    { input: [{ type: 'image_generation_call', result: '%' }] },
    'invalid_image_file',
    'input[0].result',
  ],
  ['a result with escapes', '{"input":[{"result":"\\u00e9"}]}', 'invalid_value', undefined],
  ['a number as result', { input: [{ type: 'image_generation_call', result: 1 }] }, 'invalid_value', 'input[0].result'],
  ['an odd id', { input: [{ id: 'a b' }] }, 'invalid_value', 'input[0].id'],
  ['17 images', { input: Array(17).fill({ id: 'ig_1' }) }, 'invalid_value', 'input'],
  ['another tool', { input: 'a', tools: [{ type: 'function', name: 'f' }] }, 'unsupported_parameter', 'tools'],
  ['two tools', { input: 'a', tools: Array(2).fill({ type: 'image_generation' }) }, 'unsupported_parameter', 'tools'],
  ['an object as tools', { input: 'a', tools: {} }, 'invalid_value', 'tools'],
  ['a text as tool', { input: 'a', tools: ['image_generation'] }, 'invalid_value', 'tools[0]'],
  ['an unknown option', withTool({ colour: 'red' }), 'unknown_parameter', 'tools[0].colour'],
  ['two images', withTool({ n: 2 }), 'unsupported_parameter', 'tools[0].n'],
  ['an unknown action', withTool({ action: 'film' }), 'invalid_value', 'tools[0].action'],
  [
    'a mask by its file',
    withTool({ input_image_mask: { file_id: 'f' } }),
    'unsupported_parameter',
    'tools[0].input_image_mask.file_id',
  ],
  [
    'an empty mask',
    withTool({ input_image_mask: {} }),
    'missing_required_parameter',
    'tools[0].input_image_mask.image_url',
  ],
  ['a text as mask', withTool({ input_image_mask: 'a' }), 'invalid_value', 'tools[0].input_image_mask'],
  ['an unknown member', { input: 'a', seed: 1 }, 'unknown_parameter', 'seed'],
  ['a conversation', { input: 'a', conversation: 'conv_1' }, 'unsupported_parameter', 'conversation'],
  ['a stored prompt', { input: 'a', prompt: { id: 'pmpt_1' } }, 'unsupported_parameter', 'prompt'],
  ['a text as flag', { input: 'a', stream: 'yes' }, 'invalid_value', 'stream'],
  ['an odd response', { input: 'a', previous_response_id: '../a' }, 'invalid_value', 'previous_response_id'],
  ['metadata of numbers', { input: 'a', metadata: { a: 1 } }, 'invalid_value', 'metadata.a'],
  ['long metadata', { input: 'a', metadata: { a: 'x'.repeat(513) } }, 'invalid_value', 'metadata.a'],
  ['a long name of metadata', { input: 'a', metadata: { ['x'.repeat(65)]: 'a' } }, 'invalid_value', 'metadata'],
  ['a very long name of metadata', { input: 'a', metadata: { ['x'.repeat(300)]: 'a' } }, 'invalid_value', 'metadata'],
  [
    'much metadata',
    { input: 'a', metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'a'])) },
    'invalid_value',
    'metadata',
  ],
  [
    'an agent without a name',
    { input: 'a', agent_reference: {} },
    'missing_required_parameter',
    'agent_reference.name',
  ],
  ['an agent of another type', { input: 'a', agent: { name: 'a', type: 'b' } }, 'invalid_value', 'agent.type'],
  ['an agent with more', { input: 'a', agent: { name: 'a', id: 'b' } }, 'unknown_parameter', 'agent.id'],
  ['a member that is given twice', '{"input":"a","input":"b"}', 'invalid_value', 'input'],
  ['input of two kinds', '{"input":[{"role":"user","content":"a"}],"input":"b"}', 'invalid_value', 'input'],
  [
    'a name of metadata that is given twice',
    '{"input":"a","metadata":{"a":"b","a":"c"}}',
    'invalid_value',
    'metadata.a',
  ],
  ['a member of an item that is given twice', '{"input":[{"id":"a","id":"b"}]}', 'invalid_value', 'input[0].id'],
  ['a very long text', { input: 'a'.repeat(262_144) }, 'invalid_value', 'input'],
  ['long texts', { input: 'a'.repeat(200_000), instructions: 'b'.repeat(200_000) }, 'request_too_large', undefined],
])('%s is refused by name', async (_, body, kind, param) => {
  await expect(readBody(body)).rejects.toMatchObject({ kind, param });
});

test('any JSON at all is read, or refused with a reason', async () => {
  const wild = fc.oneof(
    fc.json(),
    fc
      .record({ input: fc.jsonValue(), tools: fc.jsonValue(), metadata: fc.jsonValue(), agent: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
    fc
      .array(
        fc.record({
          type: fc.constantFrom('message', 'input_text'),
          role: fc.constant('user'),
          content: fc.jsonValue(),
        }),
      )
      .map((input) => JSON.stringify({ input })),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(wild, async (text) => {
      const outcome = await readBody(text).catch((error) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ name: 'GatewayError' });
    }),
    { numRuns: 500 },
  );
});

describe('a model that is served elsewhere', () => {
  const isElsewhere = (model: string) => model.startsWith('gpt-5');
  const read = async (text: string) => (await readChunks([Buffer.from(text)], { isElsewhere })).read;

  test.each([
    ['first', '{"model":"gpt-5.5","tools":[{"type":"function"}]}'],
    [
      'after what is not understood here',
      '{"input":[{"type":"film"}],"tools":[{"type":"function"}],"model":"gpt-5.5"}',
    ],
    ['after escapes that no image has', '{"input":[{"type":"program_output","result":"\\u00e9"}],"model":"gpt-5.5"}'],
    ['after what is no UTF-8 text', '{"input":"\\ud800","model":"gpt-5.5"}'],
    ['before anything that is missing', '{"model":"gpt-5.5"'],
  ])('ends the reading when it is named %s', async (_, text) => {
    expect(await read(text)).toBe('elsewhere');
  });

  test('leaves the rest of the body unread', async () => {
    const chunks = ['{"model":"gpt-5.5",', '"input":', '"a"}'].map((text) => Buffer.from(text));
    const { body, read: outcome } = await readChunks(chunks, { isElsewhere });
    expect(await outcome).toBe('elsewhere');
    expect(String(Buffer.concat(await Array.fromAsync(body)))).toContain('"a"}');
  });

  test.each([
    ['an agent comes before it', '{"agent_reference":{"name":"a"},"model":"gpt-5.5","input":"a"}'],
    ['the model is ours', '{"model":"image","input":"a","tools":[{"type":"image_generation","model":"gpt-5.5"}]}'],
    ['there is none', '{"input":"a"}'],
  ])('does not count where %s', async (_, text) => {
    expect(await read(text)).toMatchObject({ prompt: 'a' });
  });

  test.each([
    ['the model is ours', '{"input":[{"type":"film"}],"model":"image"}'],
    ['the body breaks off', '{"input":[{"type":"film"}]'],
  ])('does not hide an error where %s', async (_, text) => {
    await expect(read(text)).rejects.toMatchObject({ kind: 'invalid_value', param: 'input[0].type' });
  });
});

test('a body that is refused before its end stays open, and can be read on', async () => {
  const chunks = ['{"input":[{"type":"film"}],', 'later', 'on'].map((text) => Buffer.from(text));
  const { body, read } = await readChunks(chunks);
  await expect(read).rejects.toThrow(/images only/);
  expect(body.destroyed).toBe(false);
  expect(String(Buffer.concat(await Array.fromAsync(body)))).toContain('on');
});
