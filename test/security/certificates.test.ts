import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { createServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { modelsFile, tinyPng } from '../end-to-end/rig.ts';
import { callGateway } from '../helpers/call-gateway.ts';

// Nobody is shown a key who cannot prove to be the configured host.

const authorities = resolve('test/fixtures/tls/certificate.pem');

/** An upstream with this certificate; keeps every byte that it could decrypt. */
async function startTls(name: 'certificate' | 'untrusted-certificate', host = '127.0.0.1') {
  const read = (file: string) => readFileSync(`test/fixtures/tls/${file}.pem`);
  const key = read(name === 'certificate' ? 'key' : 'untrusted-key');
  const seen: string[] = [];
  const server = createServer({ key, cert: read(name) }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', (chunk) => {
      seen.push(chunk.toString('latin1'));
      const body = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((settle) => server.listen(0, host, settle));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

async function call(program: Program, url: string) {
  const headers = { authorization: 'Bearer program-key' };
  const response = await callGateway(url, { prompt: 'a canary' }, { headers });
  expect(program.output.stderr).toBe('');
  return response;
}

describe('an upstream by https', () => {
  test.each([
    ['whose certificate nobody trusts', 'untrusted-certificate', 'localhost', {}],
    ['whose certificate only others trust', 'certificate', 'localhost', {}],
    ['whose trusted certificate is for another name', 'certificate', '127.0.0.2', { NODE_EXTRA_CA_CERTS: authorities }],
  ] as const)('%s gets nothing, and the caller a 503', async (_, certificate, host, env) => {
    const { port, seen } = await startTls(certificate, host === 'localhost' ? '127.0.0.1' : host);
    const program = await startProgram({ models: modelsFile(`https://${host}:${port}`), env });
    const response = await call(program, await program.listening());
    expect([response.status, response.json().error.code]).toEqual([503, 'upstream_unavailable']);
    expect(seen).toEqual([]);
  });

  test('whose certificate NODE_EXTRA_CA_CERTS vouches for is called', async () => {
    const { port, seen } = await startTls('certificate');
    const env = { NODE_EXTRA_CA_CERTS: authorities };
    const program = await startProgram({ models: modelsFile(`https://localhost:${port}`), env });
    expect((await call(program, await program.listening())).status).toBe(200);
    expect(seen[0]).toMatch(/^POST /);
  });
});

describe('NODE_TLS_REJECT_UNAUTHORIZED=0', () => {
  test.each([[[]], [['--check']]])('stops the start %j, and says what to set in its place', async (arguments_) => {
    const program = await startProgram({
      models: modelsFile('https://one.openai.azure.com'),
      env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      arguments: arguments_,
    });
    expect(await program.exited).toBe(1);
    expect(program.output.stderr).toMatch(/NODE_TLS_REJECT_UNAUTHORIZED.*NODE_EXTRA_CA_CERTS/);
  });
});
