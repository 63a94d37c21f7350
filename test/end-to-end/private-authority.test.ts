import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { startConnectProxy } from '../helpers/connect-proxy.ts';
import { startProgram } from './program.ts';
import { tinyPng } from './rig.ts';

const fixture = (name: string) => resolve('test/fixtures/tls', name);
const trusting = { NODE_EXTRA_CA_CERTS: fixture('private-authority.pem') };
const headers = { authorization: 'Bearer program-key' };

/** An Azure whose certificate is of a private authority, as behind a proxy that inspects TLS. */
async function startPrivateAzure() {
  const seen: string[] = [];
  const certificate = {
    key: readFileSync(fixture('private-key.pem')),
    cert: readFileSync(fixture('private-certificate.pem')),
  };
  const server = createServer(certificate, (request, response) => {
    seen.push(String(request.method));
    request.resume().once('end', () => response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] })));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const target = {
    provider: 'azure-v1',
    model: 'gpt-image-2',
    baseURL: `https://localhost:${(server.address() as AddressInfo).port}`,
    apiKey: 'k',
    maxRetries: 0,
  };
  return { models: { models: { image: target } }, seen };
}

describe('a certificate of a private authority', () => {
  test.each([false, true])('is trusted with NODE_EXTRA_CA_CERTS (through an egress proxy: %s)', async (isProxied) => {
    const { models, seen } = await startPrivateAzure();
    const proxy = await startConnectProxy();
    const file = isProxied ? { ...models, egressProxy: proxy.origin } : models;
    const program = await startProgram({ models: file, env: trusting });
    const { status } = await callGateway(await program.listening(), { model: 'image', prompt: 'a cat' }, { headers });
    expect([status, seen, proxy.requests.length]).toEqual([200, ['POST'], isProxied ? 1 : 0]);
  });

  test('is refused without it: nothing was sent, and nothing was billed', async () => {
    const { models, seen } = await startPrivateAzure();
    const program = await startProgram({ models });
    const response = await callGateway(await program.listening(), { model: 'image', prompt: 'a cat' }, { headers });
    expect([response.status, response.json().error.code]).toEqual([503, 'upstream_unavailable']);
    expect(response.json().error.message).toContain('Nothing was sent to it and nothing was billed');
    expect(seen).toEqual([]);
    await expect.poll(() => program.output.stdout).toContain('"outcome":"not-processed"');
  });

  test('is pointed at by the doctor, and is well for it with NODE_EXTRA_CA_CERTS', async () => {
    const { models } = await startPrivateAzure();
    const without = await startProgram({ command: 'doctor', models });
    expect(await without.exited).toBe(1);
    expect(without.output.stdout).toMatch(/tls FAILED:\n.*NODE_EXTRA_CA_CERTS/);
    const withIt = await startProgram({ command: 'doctor', models, env: trusting });
    expect(await withIt.exited).toBe(0);
    expect(withIt.output.stdout).toMatch(/ ok +ok +ok +ok +ok +unknown$/m);
  });
});
