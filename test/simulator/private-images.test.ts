import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Caller, json, openCaller } from './call-simulator.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
afterAll(() => caller.close());

async function linkWith(scenario: string): Promise<string> {
  const response = await caller.generate('dall-e-3', { prompt: `a cat simulate:${scenario}` }, '2024-02-01');
  return json(response).data[0].url;
}

const download = (url: string, headers = {}) => caller.call('GET', url, undefined, headers);

test.each(['authorization', 'api-key', 'ocp-apim-subscription-key', 'x-api-key', 'cookie'])(
  'a link with the header %s is refused',
  async (header) => {
    const { status } = await download(await linkWith('none'), { [header]: 'Bearer anything' });
    expect(status).toBe(header === 'authorization' ? 400 : 403);
  },
);

test('a link with a missing or changed signature or expiry is refused', async () => {
  const link = new URL(await linkWith('none'));
  for (const [name, value] of [
    ['sig', undefined],
    ['sig', 'forged'],
    ['se', '2999-01-01T00:00:00.000Z'],
  ] as const) {
    const changed = new URL(link);
    if (value === undefined) changed.searchParams.delete(name);
    else changed.searchParams.set(name, value);
    expect((await download(changed.href)).status).toBe(403);
  }
});

test.each([
  ['download-403', 403, 'application/xml'],
  ['download-404', 404, 'application/xml'],
  ['download-html', 200, 'text/html'],
  ['download-not-an-image', 200, 'image/png'],
  ['not-an-image', 200, 'image/png'],
])('%s responds with %i %s, and no image', async (scenario, status, contentType) => {
  const response = await download(await linkWith(scenario));
  expect(response.status).toBe(status);
  expect(response.headers['content-type']).toContain(contentType);
  await expect(sharp(response.bytes).metadata()).rejects.toThrow();
});

test('download-500-once fails the first time only', async () => {
  const link = await linkWith('download-500-once');
  expect([(await download(link)).status, (await download(link)).status]).toEqual([500, 200]);
});

test('download-truncated breaks off, after a whole response', async () => {
  await expect(download(await linkWith('download-truncated'))).rejects.toThrow();
});

test('download-redirect leads to another host', async () => {
  const response = await download(await linkWith('download-redirect'));
  expect([response.status, String(response.headers.location)]).toEqual([
    302,
    expect.stringMatching(/^http:\/\/localhost:/),
  ]);
});

test('download-gzip is packed although nobody requested it', async () => {
  const response = await download(await linkWith('download-gzip'));
  expect(response.headers['content-encoding']).toBe('gzip');
  expect(response.bytes.subarray(0, 2).toString('hex')).toBe('1f8b');
});

test('download-foreign links to a host that does not exist', async () => {
  expect(new URL(await linkWith('download-foreign')).host).toBe('blob.example.invalid');
});

test('big pads the downloaded image, which stays an image', async () => {
  const { bytes } = await download(await linkWith('big-3'));
  expect(bytes.length).toBeGreaterThan(3 * 1024 * 1024);
  expect((await sharp(bytes).metadata()).width).toBe(1024);
});
