import { describe, expect, test } from 'vitest';
import { clientAddress } from '../../src/http/gateway-headers.ts';
import { requestLines } from '../end-to-end/rig.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { everyProvider, sendJson, startHostileAzure } from './hostile-azure.ts';

// What a request says about where it came from is believed of nobody but the proxies in TRUST_PROXY, and then it is for the
// log only. That links are built from PUBLIC_BASE_URL alone is shown in hosted-images.test.ts.

const spoofed = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'https',
  'x-real-ip': '203.0.113.8',
  forwarded: 'for=203.0.113.9;host=evil.example',
};

async function startRig(trustedProxies: readonly string[] = []) {
  const azure = await startHostileAzure();
  azure.respond = (_request, response) => sendJson(response, { created: 1, data: [{ b64_json: tinyPng }] });
  const gateway = await startGateway({ defaultModel: 'v1', ...everyProvider(azure.origin) }, { trustedProxies });
  const clients = async (headers: Record<string, string>) => {
    const before = requestLines(gateway).length;
    const reply = await callGateway(gateway.url, { prompt: 'a cat' }, { headers });
    expect(reply.status).toBe(200);
    expect(JSON.stringify([...reply.headers]) + reply.text).not.toMatch(/evil|203\.0\.113/);
    await expect.poll(() => requestLines(gateway).length).toBe(before + 1);
    return requestLines(gateway).at(-1)?.client;
  };
  return { gateway, clients };
}

describe('forwarded headers', () => {
  test('are believed of nobody by default: the log has the address of the connection', async () => {
    const { gateway, clients } = await startRig();
    expect(await clients(spoofed)).toBe('127.0.0.1');
    expect(gateway.logText()).not.toMatch(/evil|203\.0\.113/);
  });

  test('are not believed of a proxy that is not in TRUST_PROXY', async () => {
    const { clients } = await startRig(['10.0.0.0/8', '192.168.1.1']);
    expect(await clients(spoofed)).toBe('127.0.0.1');
  });

  test.each([
    ['one address', '198.51.100.4', '198.51.100.4'],
    ['several: the last one that no trusted proxy has', '203.0.113.1, 198.51.100.4, 10.1.2.3', '198.51.100.4'],
    ['several that are all trusted: the first', '10.9.9.9, 10.1.2.3', '10.9.9.9'],
    ['IPv6', '2001:db8::4', '2001:db8::4'],
    ['an address with a port', '198.51.100.4:51234', '198.51.100.4'],
    ['IPv6 with a port', '[2001:db8::4]:51234', '2001:db8::4'],
    ['a mapped address', '::ffff:198.51.100.4', '198.51.100.4'],
    ['text', 'evil.example', undefined],
    ['nothing', '', '127.0.0.1'],
    ['markup', '<script>evil</script>', undefined],
    ['an endless list', '1.1.1.1,'.repeat(1_000), '1.1.1.1'],
  ])('of a proxy in TRUST_PROXY with %s', async (_, given, reported) => {
    const { gateway, clients } = await startRig(['127.0.0.0/8', '10.0.0.0/8']);
    expect(await clients({ ...spoofed, 'x-forwarded-for': given })).toBe(reported);
    expect(gateway.logText()).not.toContain('evil');
  });
});

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::1', '::1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['[::1]:80', '::1'],
  ['1.2.3.4:99999999', undefined],
  ['1.2.3', undefined],
  ['\u001b[31m', undefined],
  [undefined, undefined],
])('the address %j is logged as %j', (ip, reported) => expect(clientAddress({ ip: ip as string })).toBe(reported));
