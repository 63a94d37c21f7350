import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import multipart from '@fastify/multipart';
import fc from 'fast-check';
import Fastify from 'fastify';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { PaidBody } from '../../src/upstream/client.ts';
import { type FormFile, formBody } from '../../src/upstream/image-bodies.ts';

const read = async (body: PaidBody) => buffer((body.content as () => Readable)());
const boundaryOf = ({ contentType }: PaidBody) => contentType.replace('multipart/form-data; boundary=', '');

function file(name: string, chunks: readonly Buffer[], contentType = 'image/png'): FormFile {
  return {
    name,
    filename: `${name.replace(/\W/g, '')}.bin`,
    contentType,
    bytes: chunks.reduce((sum, { length }) => sum + length, 0),
    async *open() {
      yield* chunks;
    },
  };
}

const names = fc.stringMatching(/^p_[A-Za-z0-9_.-]{0,20}$/);
const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.constantFrom(
    '\r\n',
    '--',
    '--gateway-',
    '\r\n--gateway-\r\n\r\n',
    'a\nb\rc\r\n',
    '\u0000',
    ' ',
    '"; name="model"',
  ),
);
const chunks = fc.array(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 6 },
);
const forms = fc.record({
  fields: fc.uniqueArray(fc.tuple(names, texts), { selector: ([name]) => name, maxLength: 8 }),
  files: fc.array(
    fc
      .tuple(
        fc.constantFrom('image', 'image[]', 'mask'),
        chunks,
        fc.constantFrom('image/png', 'image/jpeg', 'image/webp'),
      )
      .map(([name, pieces, type]) => ({ file: file(name, pieces, type), content: Buffer.concat(pieces) })),
    { maxLength: 5 },
  ),
});

/** A server that gives back what its parser of forms has read. */
async function parser() {
  const app = Fastify();
  onTestFinished(() => app.close());
  await app.register(multipart);
  app.post('/', async (request) => {
    const parts: unknown[] = [];
    for await (const part of request.parts()) {
      if (part.type === 'field') parts.push([part.fieldname, part.value]);
      else parts.push([part.fieldname, part.filename, part.mimetype, (await part.toBuffer()).toString('hex')]);
    }
    return parts;
  });
  return async (payload: Buffer, contentType: string): Promise<unknown[]> => {
    const answer = await app.inject({ method: 'POST', url: '/', headers: { 'content-type': contentType }, payload });
    return answer.json();
  };
}

test('property: whatever is put into a form comes out of a parser, has the said length, and can be sent again', async () => {
  const parse = await parser();
  await fc.assert(
    fc.asyncProperty(forms, async ({ fields, files }) => {
      fc.pre(fields.length + files.length > 0);
      const body = formBody(
        fields,
        files.map(({ file }) => file),
      );
      const [bytes, again] = await Promise.all([read(body), read(body)]);
      expect(bytes.length).toBe(body.length);
      expect(again.equals(bytes)).toBe(true);
      expect(await parse(bytes, body.contentType)).toEqual([
        ...fields.map(([name, text]) => [name, Buffer.from(text).toString()]),
        ...files.map(({ file, content }) => [file.name, file.filename, file.contentType, content.toString('hex')]),
      ]);
    }),
    { numRuns: 300 },
  );
});

test('property: another parser, which is stricter, reads the same', async () => {
  await fc.assert(
    fc.asyncProperty(forms, async ({ fields, files }) => {
      fc.pre(fields.length + files.length > 0);
      const body = formBody(
        fields,
        files.map(({ file }) => file),
      );
      const headers = { 'content-type': body.contentType };
      const form = await new Response(new Uint8Array(await read(body)), { headers }).formData();
      const parts = await Promise.all(
        [...form].map(async ([name, value]) =>
          typeof value === 'string'
            ? [name, value]
            : [name, value.name, value.type, Buffer.from(await value.arrayBuffer()).toString('hex')],
        ),
      );
      expect(parts).toEqual([
        ...fields.map(([name, text]) => [name, Buffer.from(text).toString()]),
        ...files.map(({ file, content }) => [file.name, file.filename, file.contentType, content.toString('hex')]),
      ]);
    }),
    { numRuns: 100 },
  );
});

describe('a form', () => {
  test('is written byte for byte as RFC 7578 has it', async () => {
    const body = formBody([['prompt', 'ein Kätzchen']], [file('image[]', [Buffer.from('one'), Buffer.from('two')])]);
    const boundary = boundaryOf(body);
    expect((await read(body)).toString()).toBe(
      [
        `--${boundary}`,
        'content-disposition: form-data; name="prompt"',
        '',
        'ein Kätzchen',
        `--${boundary}`,
        'content-disposition: form-data; name="image[]"; filename="image.bin"',
        'content-type: image/png',
        '',
        'onetwo',
        `--${boundary}--`,
        '',
      ].join('\r\n'),
    );
  });

  test('has a boundary of its own that nobody can guess, of at most 70 plain characters', () => {
    const boundaries = Array.from({ length: 100 }, () => boundaryOf(formBody([['a', 'b']], [])));
    expect(new Set(boundaries).size).toBe(100);
    for (const boundary of boundaries) expect(boundary).toMatch(/^[A-Za-z0-9_-]{30,70}$/);
  });

  test('whose text quotes another form of the gateway stays one form', async () => {
    const inner = (await read(formBody([['model', 'evil']], []))).toString();
    const body = formBody([['prompt', inner]], []);
    const parse = await parser();
    expect(await parse(await read(body), body.contentType)).toEqual([['prompt', inner]]);
  });

  test('without anything is still a form', async () => {
    const body = formBody([], []);
    expect((await read(body)).toString()).toBe(`--${boundaryOf(body)}--\r\n`);
    expect(body.length).toBe((await read(body)).length);
  });

  test('with a lone surrogate has the length of what is sent for it', async () => {
    const body = formBody([['prompt', 'a\ud800b']], []);
    expect((await read(body)).length).toBe(body.length);
  });

  test('that is given up midway closes the file that it was reading, and opens no other', async () => {
    const opened: string[] = [];
    const closed: string[] = [];
    const endless = (name: string): FormFile => ({
      ...file(name, []),
      async *open() {
        opened.push(name);
        try {
          for (;;) yield Buffer.alloc(1000);
        } finally {
          closed.push(name);
        }
      },
    });
    const { content } = formBody([['prompt', 'a cat']], [endless('image'), endless('mask')]);
    const sending = (content as () => Readable)();
    for await (const chunk of sending) if (chunk.length === 1000) break;
    await expect.poll(() => closed).toEqual(['image']);
    expect(opened).toEqual(['image']);
    expect(sending.destroyed).toBe(true);
  });

  test('whose file cannot be read fails, and does not end as if it were complete', async () => {
    const broken: FormFile = {
      ...file('image', [Buffer.alloc(10)]),
      open: () => Readable.from([Buffer.alloc(5)]).map(() => Promise.reject(new Error('gone'))),
    };
    await expect(read(formBody([['prompt', 'a cat']], [broken]))).rejects.toThrow('gone');
  });

  test('opens no file before it is read', async () => {
    let opened = 0;
    const counting: FormFile = {
      ...file('image', [Buffer.alloc(10)]),
      async *open() {
        opened += 1;
        yield Buffer.alloc(10);
      },
    };
    const body = formBody([], [counting]);
    expect(opened).toBe(0);
    await Promise.all([read(body), read(body)]);
    expect(opened).toBe(2);
  });
});
