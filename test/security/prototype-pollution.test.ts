import { expect, test } from 'vitest';
import { editsPath, startEdits } from '../end-to-end/edits.ts';
import { exchange } from '../end-to-end/rig.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { formHeaders, writeForm } from '../simulator/write-form.ts';
import { sendJson, startHostileAzure } from './hostile-azure.ts';

// No name in a request, an answer or a file changes what all objects have. What each of them is answered
// with is shown beside the other bad input; here it is what they leave behind.

const prototypes = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
const before = prototypes.map((prototype) => Reflect.ownKeys(prototype).map(String));

function expectUnchanged(): void {
  expect(prototypes.map((prototype) => Reflect.ownKeys(prototype).map(String))).toEqual(before);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
}

const polluting = [
  '{"prompt":"a","__proto__":{"polluted":1}}',
  '{"prompt":"a","constructor":{"prototype":{"polluted":1}}}',
  '{"prompt":"a","a":{"__proto__":{"polluted":1}}}',
  '{"prompt":"a","a":[{"constructor":{"prototype":{"polluted":1}}}]}',
  '{"prompt":"a","\\u005f_proto__":{"polluted":1}}',
  '{"prompt":"a","__proto__.polluted":1,"constructor.prototype.polluted":1,"__proto__[polluted]":1}',
  '{"prompt":"a","prototype":{"polluted":1},"toString":1,"hasOwnProperty":1,"valueOf":1,"then":1,"toJSON":1}',
  '{"__proto__":{"prompt":"a"}}',
  `${'{"a":'.repeat(1_000)}{"__proto__":{"polluted":1}}${'}'.repeat(1_000)}`,
  '{"prompt":"a","images":[{"image_url":"data:image/png;base64,AAAA","__proto__":{"polluted":1}}]}',
  '["__proto__"]',
  '"__proto__"',
];

test.each(['/v1/images/generations', editsPath])('JSON for %s leaves nothing behind', async (path) => {
  const { url } = await startEdits();
  for (const body of polluting) {
    const answer = await callGateway(url, body, { path });
    expect([body, answer.status < 500]).toEqual([body, true]);
    expectUnchanged();
  }
  expect((await callGateway(url, { prompt: 'a cat' })).status).toBe(200);
});

test('a form leaves nothing behind', async () => {
  const { url } = await startEdits();
  const names = [
    '__proto__',
    '__proto__[polluted]',
    '__proto__.polluted',
    'constructor',
    'constructor[prototype][polluted]',
  ];
  for (const name of [...names, 'prototype', 'toString', 'hasOwnProperty', 'images[__proto__]', 'image[__proto__]']) {
    for (const filename of [undefined, 'a.png']) {
      const part = {
        name,
        bytes: Buffer.from('polluted'),
        ...(filename !== undefined && { filename, type: 'image/png' }),
      };
      const body = writeForm([{ name: 'prompt', bytes: Buffer.from('a') }, part]);
      const headers = { ...formHeaders, 'api-key': gatewayKey };
      const answer = await fetch(`${url}${editsPath}`, { method: 'POST', headers, body: new Uint8Array(body) });
      expect([name, answer.status]).toEqual([name, 400]);
      expectUnchanged();
    }
  }
});

test('paths, queries and headers leave nothing behind', async () => {
  const { url } = await startEdits();
  for (const path of [
    '/m/__proto__/v1/images/generations',
    '/openai/deployments/constructor/images/generations',
    '/v1/models/__proto__',
    '/v1/images/files/__proto__',
    '/v1/models?__proto__[polluted]=1&constructor[prototype][polluted]=1&__proto__=1',
    '/__proto__',
  ]) {
    const head = `GET ${path} HTTP/1.1\r\nhost: x\r\napi-key: ${gatewayKey}\r\n__proto__: polluted\r\nconstructor: polluted\r\n`;
    expect(await exchange(url, `${head}connection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 [24]\d\d /);
    expectUnchanged();
  }
});

test('an answer of an upstream leaves nothing behind', async () => {
  const azure = await startHostileAzure();
  const { url } = await startEdits({ upstream: azure.origin });
  for (const body of polluting) {
    for (const status of [200, 400, 500]) {
      azure.answer = (_request, response) =>
        void response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(`{"error":${body},"data":[${body}]}`);
      expect((await callGateway(url, { prompt: 'a cat' })).status).toBeGreaterThanOrEqual(400);
      expectUnchanged();
    }
  }
  azure.answer = (_request, response) => sendJson(response, JSON.parse('{"__proto__":{"data":[]}}'));
  expect((await callGateway(url, { prompt: 'a cat' })).status).toBe(502);
});

test('a models file leaves nothing behind', () => {
  for (const text of [...polluting, '{"models":{"__proto__":{"polluted":1}}}', '{"aliases":{"__proto__":"a"}}']) {
    expect(() => parseModels(text, {})).toThrow();
    expectUnchanged();
  }
});
