import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { makeKey } from '../../src/cli/key.ts';
import { startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';

const models = modelsFile('https://one.openai.azure.com');
const canary = 'gateway-key-canary';

/** A keys file with these callers, in a directory that ends with the test. */
async function keysFile(callers: unknown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'keys-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, 'keys.json');
  await writeFile(file, JSON.stringify({ callers }, null, 1));
  return file;
}

async function statusWith(url: string, key: string): Promise<number> {
  const { statusCode, body } = await request(`${url}/v1/models`, { headers: { 'api-key': key } });
  await body.dump();
  return statusCode;
}

test('keys of the environment and of the file are valid beside each other, beyond loopback too', async () => {
  const { key, sha256 } = makeKey();
  const KEYS_FILE = await keysFile({ shop: { keys: [{ sha256 }, { key: canary }] } });
  const env = { KEYS_FILE, HOST: '0.0.0.0', GATEWAY_API_KEYS: 'a-key-of-the-environment' };
  const program = await startProgram({ models, env });
  const url = (await program.listening()).replace('0.0.0.0', '127.0.0.1');
  const statuses = [key, canary, env.GATEWAY_API_KEYS, sha256, 'nothing'].map((shown) => statusWith(url, shown));
  expect(await Promise.all(statuses)).toEqual([200, 200, 200, 401, 401]);
  await expect.poll(() => program.output.stdout).toContain(`${KEYS_FILE}: callers.shop.keys[1].key (line 9)`);
  expect(program.output.stdout).not.toContain(canary);
  expect(program.output.stdout).not.toContain('every program on this machine can call');
});

test('a keys file alone is enough to listen beyond loopback', async () => {
  const { key, sha256 } = makeKey();
  const env = { KEYS_FILE: await keysFile({ shop: { keys: [{ sha256 }] } }), HOST: '0.0.0.0', GATEWAY_API_KEYS: '' };
  const url = (await (await startProgram({ models, env })).listening()).replace('0.0.0.0', '127.0.0.1');
  expect([await statusWith(url, key), await statusWith(url, 'nothing')]).toEqual([200, 401]);
});

test('--check shows who may call, and warns, without a key', async () => {
  const { sha256 } = makeKey();
  const callers = {
    shop: { keys: [{ sha256, expires: '2020-01-31' }, { key: canary }], models: ['image'], limits: { requests: 5 } },
  };
  const program = await startProgram({ models, env: { KEYS_FILE: await keysFile(callers) }, arguments: ['--check'] });
  expect(await program.exited).toBe(0);
  const { stdout } = program.output;
  expect(stdout).toContain(`Consumers:
  GATEWAY_API_KEYS#5830abaf: key; all models
  shop: key until 2020-01-31T00:00:00.000Z, key; models image; 5 requests per 60 s
`);
  expect(stdout).toContain('callers.shop.keys[0].expires (line 7): the key has expired');
  expect(stdout).toContain('callers.shop.keys[1].key (line 10): the file contains the key itself');
  expect(stdout).not.toMatch(new RegExp(`${canary}|${sha256}|program-key`));
});

test.each([['--check'], []])(
  'mistakes in the keys file stop the start, all at once, without a key: %s',
  async (...words) => {
    const callers = { shop: { keys: [{ sha256: canary }], model: ['image'] }, 'b b': {} };
    const program = await startProgram({ models, env: { KEYS_FILE: await keysFile(callers) }, arguments: words });
    expect(await program.exited).toBe(1);
    const { stdout, stderr } = program.output;
    expect(stdout).toBe('');
    for (const place of ['callers.shop.keys[0].sha256', 'callers.shop.model', 'callers["b b"]']) {
      expect(stderr).toContain(place);
    }
    expect(stderr).not.toContain(canary);
  },
);

test('a keys file that is named and missing stops the start', async () => {
  const program = await startProgram({ models, env: { KEYS_FILE: 'no/keys.json' } });
  expect(await program.exited).toBe(1);
  expect(program.output.stderr).toContain('no/keys.json');
  expect(program.output.stderr).toContain('KEYS_FILE');
});
