import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startMetricsServer } from '../../src/http/metrics-endpoints.ts';
import { exactClient } from '../helpers/exact-client.ts';

async function start(metrics = async () => 'one 1\n', host = '127.0.0.1') {
  const server = await startMetricsServer(metrics, { host, port: 0 });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return exactClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

describe('the port of the metrics', () => {
  test.each(['/metrics', '/metrics/', '/metrics?name[]=one'])('serves them at %s', async (path) => {
    const call = await start();
    const { status, headers, text } = await call({ path });
    expect({ status, type: headers['content-type'], text }).toEqual({
      status: 200,
      type: 'text/plain; version=0.0.4',
      text: 'one 1\n',
    });
    expect((await call({ method: 'HEAD', path })).status).toBe(200);
  });

  test.each([
    ['GET', '/', 404],
    ['GET', '/v1/models', 404],
    ['GET', '/metrics/../v1/models', 404],
    ['GET', '//metrics', 404],
    ['POST', '/v1/images/generations', 404],
    ['POST', '/metrics', 405],
    ['DELETE', '/metrics', 405],
  ])('serves nothing else: %s %s is a %d', async (method, path, expected) => {
    const call = await start();
    const body = method === 'POST' ? { body: 'x'.repeat(100_000) } : {};
    const { status, text } = await call({ method, path, ...body });
    expect(status).toBe(expected);
    expect(text).toBe('');
  });

  test('on loopback, tells nothing to a name that leads there', async () => {
    const call = await start();
    for (const [host, status] of [
      ['localhost:9090', 200],
      ['[::1]:9090', 200],
      ['evil.example:9090', 403],
      ['127.0.0.1.evil.example', 403],
      ['', 403],
    ] as const) {
      expect([host, (await call({ path: '/metrics', headers: { host } })).status]).toEqual([host, status]);
    }
  });

  test('elsewhere, is served by any name', async () => {
    const call = await start(undefined, '0.0.0.0');
    expect((await call({ path: '/metrics', headers: { host: 'gateway.example' } })).status).toBe(200);
  });

  test('says so when there are none to be had, and goes on', async () => {
    let asked = 0;
    const call = await start(async () => {
      asked += 1;
      if (asked === 1) throw new Error('a secret');
      return 'two 2\n';
    });
    expect(await call({ path: '/metrics' })).toMatchObject({ status: 500, text: '' });
    expect(await call({ path: '/metrics' })).toMatchObject({ status: 200, text: 'two 2\n' });
  });
});
