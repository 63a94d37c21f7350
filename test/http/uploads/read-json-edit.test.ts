import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { buildConnector } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ImageDownload } from '../../../src/domain/image-download.ts';
import type { InputReference } from '../../../src/domain/image-input.ts';
import { readJsonEdit } from '../../../src/http/uploads/read-json-edit.ts';
import { createTemporaryInputStores } from '../../../src/storage/temporary-input-store.ts';
import { createImageDownloads } from '../../../src/upstream/guarded-download.ts';
import { dataUrl, openFiles, overlay, padded, pngImage, sha256, temporaryDirectory } from '../../end-to-end/edits.ts';
import { cut, handwriting, writeJson } from '../../helpers/json-text.ts';
import { certificate, serveHttp } from '../../helpers/loopback-server.ts';

type Read = {
  readonly chunks: readonly Buffer[];
  readonly download?: ImageDownload;
  readonly linksMs?: number;
  readonly linkBytes?: number;
};

/** Reads a body that comes in these chunks; the store is released with the test. */
async function read({ chunks, download, linksMs = 60_000, linkBytes = 200_000_000 }: Read) {
  const directory = await temporaryDirectory();
  const inputs = createTemporaryInputStores(directory)('shop');
  onTestFinished(() => inputs.release());
  const body = Readable.from(chunks, { objectMode: true });
  const { signal } = new AbortController();
  return { body, directory, inputs, upload: readJsonEdit(body, { inputs, download, signal, linksMs, linkBytes }) };
}

const readText = async (text: string) => (await read({ chunks: [Buffer.from(text)] })).upload;

test('a body in any handwriting, cut anywhere, gives the same parameters and images', async () => {
  const [one, two, mask] = [padded(await pngImage(), 3_000), await pngImage('red'), await overlay()];
  const body = {
    prompt: 'ein "Hütchen" \\ 🎩',
    n: 2,
    stream: false,
    user: null,
    images: [
      { image_url: dataUrl(one) },
      { image_url: dataUrl(two, 'IMAGE/png;charset=x').replace(/.{60}/g, '$&\r\n') },
    ],
    mask: { image_url: dataUrl(mask) },
  };
  await fc.assert(
    fc.asyncProperty(handwriting, async (hand) => {
      const { inputs, ...reading } = await read({ chunks: cut(Buffer.from(writeJson(body, hand)), hand) });
      const upload = await reading.upload;
      expect(upload.parameters).toEqual({ prompt: body.prompt, n: 2, stream: false, user: null });
      expect(upload.images.map((input) => input.sha256)).toEqual([sha256(one), sha256(two)]);
      expect(upload.mask).toMatchObject({ sha256: sha256(mask), width: 64, height: 64, hasAlpha: true });
      const bytes = Buffer.concat(await Array.fromAsync(inputs.open(upload.images[0] as InputReference)));
      expect(bytes.equals(one)).toBe(true);
    }),
    { numRuns: 30 },
  );
});

test('images in all their shapes, cut anywhere, give the same images', async () => {
  const [one, mask] = [await pngImage(), await overlay()];
  const [url, over] = [dataUrl(one), dataUrl(mask)];
  const body = {
    image: [url, { url, type: 'image_url' }, { image_url: { url } }],
    mask: over,
    markup: '',
    prompt: 'a',
  };
  await fc.assert(
    fc.asyncProperty(handwriting, async (hand) => {
      const upload = await (await read({ chunks: cut(Buffer.from(writeJson(body, hand)), hand) })).upload;
      expect(upload.images.map((input) => input.sha256)).toEqual(Array(3).fill(sha256(one)));
      expect([upload.mask?.sha256, upload.markup, upload.parameters]).toEqual([
        sha256(mask),
        undefined,
        { prompt: 'a' },
      ]);
    }),
    { numRuns: 30 },
  );
});

test('any JSON at all is read, or refused with a reason', async () => {
  const wild = fc.oneof(
    fc.json(),
    fc
      .record({ prompt: fc.string(), images: fc.jsonValue(), mask: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(wild, async (text) => {
      const outcome = await readText(text).catch((error) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ name: 'GatewayError' });
      else expect(Array.isArray(JSON.parse(text))).toBe(false);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['that is refused', '{"images":[{"file_id":"a"}],', /file_id/],
  ['that is no JSON', '{"images":no,', /JSON/],
  ['that is damaged', '{"images":[{"image_url":"data:image/png;base64,###', /base64/],
])('a body %s before its end stays open, and can be read on', async (_, beginning, reason) => {
  const { body, upload } = await read({ chunks: [Buffer.from(beginning), Buffer.from('later'), Buffer.from('on')] });
  await expect(upload).rejects.toThrow(reason);
  expect(body.destroyed).toBe(false);
  const rest: Buffer[] = [];
  for await (const chunk of body) rest.push(chunk);
  expect(Buffer.concat(rest).toString()).toContain('on');
});

test.each(['https://ex\\u00e4mple', 'data:image/png\\t;base64,AAAA'])(
  'the URL %s is refused by name: it is JSON',
  async (url) => {
    await expect(readText(`{"images":[{"image_url":"${url}"}]}`)).rejects.toMatchObject({
      kind: 'invalid_value',
      param: 'image_url',
    });
  },
);

describe('a link that may be fetched', () => {
  /** Downloads that lead to a loopback server, under whatever public name was asked for. */
  async function downloads(
    content: Buffer | number | ((response: ServerResponse) => void),
  ): Promise<{ download: ImageDownload; asked: string[] }> {
    const asked: string[] = [];
    const port = await serveHttp(
      (request, response) => {
        asked.push(`${request.headers.host}${request.url}`);
        if (typeof content === 'function') content(response);
        else if (typeof content === 'number') response.writeHead(content).end('no');
        else response.end(content);
      },
      { secure: true },
    );
    const dial = buildConnector({ ca: certificate.cert });
    const images = createImageDownloads((options, done) =>
      dial(
        { ...options, hostname: '127.0.0.1', host: '127.0.0.1', port: String(port), servername: options.hostname },
        done,
      ),
    );
    onTestFinished(() => images.close());
    return { download: images.fromAnywhere, asked };
  }

  const link = 'https://pictures.blob.core.windows.net/a.png?sig=1';
  const bodyOf = (url: string, further: object = {}) =>
    Buffer.from(JSON.stringify({ prompt: 'a', images: [{ image_url: url }], ...further }));

  test('becomes an image like any other, and a mask, too', async () => {
    const image = await overlay();
    const { download, asked } = await downloads(image);
    const { upload } = await read({ chunks: [bodyOf(link, { mask: { image_url: link } })], download });
    const { images, mask } = await upload;
    expect([images[0]?.sha256, mask?.sha256]).toEqual([sha256(image), sha256(image)]);
    expect(asked).toEqual(Array.from({ length: 2 }, () => 'pictures.blob.core.windows.net/a.png?sig=1'));
  });

  test('is fetched only when the whole body is sound', async () => {
    const { download, asked } = await downloads(await pngImage());
    const { upload } = await read({ chunks: [bodyOf(link, { size: {} })], download });
    await expect(upload).rejects.toMatchObject({ kind: 'invalid_value', param: 'size' });
    expect(asked).toEqual([]);
  });

  test.each<[string, Buffer | number, string]>([
    ['nothing', 404, 'invalid_value'],
    ['a page of HTML', Buffer.from('<html></html>'), 'invalid_value'],
    ['a GIF', Buffer.from(`GIF89a${'x'.repeat(100)}`), 'invalid_image_file'],
    ['a damaged PNG', Buffer.from('\x89PNG\r\n\x1a\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'latin1'), 'invalid_image_file'],
  ])('and leads to %s: refused, and its member is named', async (_, content, kind) => {
    const { download } = await downloads(content);
    const { upload } = await read({ chunks: [bodyOf(link)], download });
    await expect(upload).rejects.toMatchObject({ kind, param: 'images[0].image_url' });
  });

  test('and leads to more than 50 MB: refused, and nothing stays', async () => {
    const { download } = await downloads(padded(await pngImage(), 51 * 1024 * 1024));
    const { upload, directory } = await read({ chunks: [bodyOf(link)], download });
    await expect(upload).rejects.toMatchObject({ kind: 'request_too_large', param: 'images[0].image_url' });
    expect((await openFiles(directory)).length).toBeLessThan(2);
  });

  test('and leads to a server that never comes to an end: refused when its time is over, and let go', async () => {
    const image = await pngImage();
    const closed = Promise.withResolvers<void>();
    const { download } = await downloads((response) => {
      response.write(image);
      const drops = setInterval(() => response.write('.'), 20);
      response.on('close', () => {
        clearInterval(drops);
        closed.resolve();
      });
    });
    const { upload } = await read({ chunks: [bodyOf(link)], download, linksMs: 300 });
    await expect(upload).rejects.toMatchObject({ kind: 'invalid_value', param: 'images[0].image_url' });
    await closed.promise;
  });

  test('and bring more than the limit together: refused before the next one is asked for', async () => {
    const image = await pngImage();
    const { download } = await downloads(image);
    const body = Buffer.from(JSON.stringify({ prompt: 'a', images: [{ image_url: link }, { image_url: link }] }));
    const { upload } = await read({ chunks: [body], download, linkBytes: 10 });
    await expect(upload).rejects.toMatchObject({ kind: 'request_too_large', param: 'images[1].image_url' });
  });
});
