import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ObjectStorage } from '../../../src/domain/object-storage.ts';
import { type Rig, startRig } from '../../end-to-end/rig.ts';
import { callGateway } from '../../helpers/call-gateway.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { type FaultyFront, startFaultyFront } from '../engines/faulty-front.ts';
import { objectStores, type StartedStore } from './buckets.ts';

const asLink = { prompt: 'a cat', response_format: 'url' };

describe.each(objectStores)('gateways over $name', ({ start }) => {
  let started: StartedStore;
  let front: FaultyFront;
  beforeAll(async () => {
    started = await start();
    front = await startFaultyFront(started.origin);
  });
  beforeEach(() => {
    front.fault = undefined;
  });
  afterAll(async () => {
    await front?.close();
    await started?.close();
  });

  const startOver = async (links: ObjectStorage['links']): Promise<Rig & { readonly directory: string }> => {
    const directory = await temporaryDirectory();
    const rig = await startRig({ dataDir: directory, objectStorage: { ...started.storage(front.url), links } });
    return Object.assign(rig, { directory });
  };
  const bytesAt = async (url: string) => {
    const response = await fetch(url);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/png']);
    return Buffer.from(await response.arrayBuffer());
  };

  test('serve each other’s images at their own addresses', async () => {
    const [one, other] = [await startOver('proxy'), await startOver('proxy')];
    const link = (await callGateway(one.url, asLink)).json().data[0]?.url ?? '';
    expect(link.startsWith(`${one.url}/v1/images/files/`)).toBe(true);
    const image = await bytesAt(link);
    expect((await bytesAt(link.replace(one.url, other.url))).equals(image)).toBe(true);
    const part = await fetch(link.replace(one.url, other.url), { headers: { range: 'bytes=8-15' } });
    expect([part.status, Buffer.from(await part.arrayBuffer())]).toEqual([206, image.subarray(8, 16)]);
    expect(await readdir(join(one.directory, 'images'))).toEqual([]);
  });

  test('give signed links that lead to the object store', async () => {
    const rig = await startOver('direct');
    const link = (await callGateway(rig.url, asLink)).json().data[0]?.url ?? '';
    expect(link.startsWith(front.url)).toBe(true);
    expect((await bytesAt(link)).length).toBeGreaterThan(100);
    // Whoever has the link has the image.
    expect(rig.logText()).not.toMatch(/sig=|X-Amz-Signature/);
  });

  test.each([403, 503, 'cut'] as const)(
    'deliver images while it fails with %s, and upload them later',
    async (fault) => {
      const rig = await startOver('direct');
      front.fault = fault;
      const headers = { 'idempotency-key': `key-${fault}` };
      const first = await callGateway(rig.url, { prompt: 'a cat' }, { headers });
      const link = (await callGateway(rig.url, asLink)).json().data[0]?.url ?? '';
      expect(first.status).toBe(200);
      // It cannot lead anywhere else.
      expect(link.startsWith(`${rig.url}/v1/images/files/`)).toBe(true);
      const image = await bytesAt(link);
      const replay = await callGateway(rig.url, { prompt: 'a cat' }, { headers });
      expect(replay.json().data).toEqual(first.json().data);
      expect(await readdir(join(rig.directory, 'images'))).toHaveLength(2);
      expect(await rig.app.metrics()).toMatch(/^gateway_images_waiting_for_upload 2$/m);
      front.fault = undefined;
      await expect.poll(() => readdir(join(rig.directory, 'images'))).toEqual([]);
      expect((await bytesAt(link)).equals(image)).toBe(true);
      const again = await callGateway(rig.url, { prompt: 'a cat' }, { headers });
      expect(again.json().data).toEqual(first.json().data);
      const lines = rig.log.filter(({ msg }) => /IMAGES_URL/.test(String(msg))).map(({ msg }) => msg);
      expect(lines).toEqual([
        'images cannot be uploaded to IMAGES_URL, and wait in DATA_DIR',
        'images are uploaded to IMAGES_URL again',
      ]);
      expect(rig.logText()).not.toContain('canary');
    },
  );

  test('say that images cannot be read, not that they are gone, while it is away', async () => {
    const rig = await startOver('proxy');
    const link = (await callGateway(rig.url, asLink)).json().data[0]?.url ?? '';
    front.fault = 503;
    expect((await fetch(link)).status).toBe(503);
    front.fault = undefined;
    expect((await fetch(link)).status).toBe(200);
  });
});
