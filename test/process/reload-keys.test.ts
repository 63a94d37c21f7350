import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { makeKey } from '../../src/cli/key.ts';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';

const patience = { timeout: 60_000, interval: 20 };
const file = modelsFile('http://127.0.0.1:9') as { readonly models: Record<string, object> };
const canary = 'gateway-key-canary';

/** A keys file with a caller for each of these hashes. */
const callersOf = (keys: Record<string, string>, more: object = {}) => ({
  callers: Object.fromEntries(Object.entries(keys).map(([name, sha256]) => [name, { keys: [{ sha256 }], ...more }])),
});

/** Whoever reads meanwhile finds the old content or the new one. */
async function replaceFile({ directory }: Program, name: string, content: unknown): Promise<void> {
  const next = join(directory, 'next.json');
  await writeFile(next, typeof content === 'string' ? content : JSON.stringify(content));
  await rename(next, join(directory, name));
}

/** A program whose keys file is where it usually is, and a connection to it that stays open. */
async function start(keys: object | undefined, env: Record<string, string> = {}, { polls = false } = {}) {
  const program = await startProgram({
    polls,
    models: file,
    env: { GATEWAY_API_KEYS: '', ...env },
    files: keys && { 'config/keys.json': JSON.stringify(keys) },
  });
  const client = new Client(await program.listening());
  onTestFinished(() => client.destroy());
  let connections = 0;
  client.on('connect', () => {
    connections += 1;
  });
  /** The models that a key may see; `[401]` for one that is refused. */
  const modelsOf = async (key?: string): Promise<unknown[]> => {
    const headers = key === undefined ? {} : { 'api-key': key };
    const { statusCode, body } = await client.request({ method: 'GET', path: '/v1/models', headers });
    const response = (await body.json()) as { data?: { id: string }[] };
    return response.data?.map(({ id }) => id) ?? [statusCode];
  };
  return { program, modelsOf, connections: () => connections };
}

function linesOf({ output }: Program, message: string): Record<string, unknown>[] {
  const lines = output.stdout.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => String(msg).includes(message));
}

const refused = (program: Program) => linesOf(program, 'reload failed');

async function reload(program: Program): Promise<void> {
  const before = linesOf(program, 'reloaded').length;
  program.child.kill('SIGHUP');
  await expect.poll(() => linesOf(program, 'reloaded').length, patience).toBeGreaterThan(before);
}

async function refuseReload(program: Program): Promise<string> {
  const before = refused(program).length;
  program.child.kill('SIGHUP');
  await expect.poll(() => refused(program).length, patience).toBeGreaterThan(before);
  const [{ problems } = {}] = refused(program).slice(-1);
  return (problems as string[]).join('\n');
}

const names = [...Object.keys(file.models)];

test('a key that is added is valid, and one that is gone is refused on a connection that stays open', async () => {
  const [old, next] = [makeKey(), makeKey()];
  const { program, modelsOf, connections } = await start(callersOf({ shop: old.sha256 }));
  expect([await modelsOf(old.key), await modelsOf(next.key)]).toEqual([expect.arrayContaining(names), [401]]);
  await replaceFile(program, 'config/keys.json', callersOf({ blog: next.sha256 }));
  await reload(program);
  expect([await modelsOf(old.key), await modelsOf(next.key)]).toEqual([[401], expect.arrayContaining(names)]);
  expect(connections()).toBe(1);
});

test('models and the keys that name them are replaced together, or neither', async () => {
  const { key, sha256 } = makeKey();
  const { program, modelsOf } = await start(callersOf({ shop: sha256 }, { models: ['image'] }));
  const { image } = file.models;
  await replaceFile(program, 'models.json', { models: { poster: image } });
  expect(await refuseReload(program)).toMatch(/config\/keys\.json[\s\S]*callers\.shop\.models\[0\]/);
  expect(await modelsOf(key)).toContain('image');
  expect(await modelsOf(key)).not.toContain('poster');
  await replaceFile(program, 'config/keys.json', callersOf({ shop: sha256 }, { models: ['poster'] }));
  await reload(program);
  expect(await modelsOf(key)).toEqual(['poster']);
});

test.each<[string, unknown]>([
  ['half written', '{"callers": {"shop"'],
  ['empty', ''],
  ['without a caller', { callers: {} }],
  ['with a mistake', { callers: { shop: { keys: [{ sha256: canary }] } } }],
])('a keys file that is %s changes nothing, neither keys nor models', async (_, content) => {
  const { key, sha256 } = makeKey();
  const { program, modelsOf } = await start(callersOf({ shop: sha256 }));
  const before = await modelsOf(key);
  await replaceFile(program, 'config/keys.json', content);
  await replaceFile(program, 'models.json', { models: { ...file.models, poster: file.models.image } });
  expect(await refuseReload(program)).toContain('config/keys.json');
  expect([await modelsOf(key), await modelsOf('other')]).toEqual([before, [401]]);
  expect(program.output.stdout).not.toContain(canary);
  await replaceFile(program, 'config/keys.json', callersOf({ shop: sha256 }));
  await reload(program);
  expect(await modelsOf(key)).toContain('poster');
});

test('a gateway without keys requires them once there is a keys file, and never accepts everybody again', async () => {
  const { key, sha256 } = makeKey();
  const { program, modelsOf } = await start(undefined);
  expect(await modelsOf()).toEqual(expect.arrayContaining(names));
  await mkdir(join(program.directory, 'config'));
  await replaceFile(program, 'config/keys.json', callersOf({ shop: sha256 }));
  await reload(program);
  expect([await modelsOf(), await modelsOf(key)]).toEqual([[401], expect.arrayContaining(names)]);
  await rm(join(program.directory, 'config/keys.json'));
  expect(await refuseReload(program)).toContain('no client could authenticate');
  expect([await modelsOf(), await modelsOf(key)]).toEqual([[401], expect.arrayContaining(names)]);
});

test('without its keys file the keys of the environment are left', async () => {
  const { key, sha256 } = makeKey();
  const { program, modelsOf } = await start(callersOf({ shop: sha256 }), { GATEWAY_API_KEYS: 'program-key' });
  expect([await modelsOf(key), await modelsOf('program-key')]).not.toContainEqual([401]);
  await rm(join(program.directory, 'config/keys.json'));
  await reload(program);
  expect([await modelsOf(key), await modelsOf('program-key')]).toEqual([[401], expect.arrayContaining(names)]);
});

test('what the operator should see to is logged when it is new, and what waits for the next start each time', async () => {
  const { sha256 } = makeKey();
  const { program } = await start(callersOf({ shop: sha256 }));
  const warnings = () => linesOf(program, 'the file contains the key itself').length;
  await replaceFile(program, 'config/keys.json', { callers: { shop: { keys: [{ key: canary }] } } });
  await reload(program);
  await expect.poll(warnings, patience).toBe(1);
  await replaceFile(program, 'models.json', { ...file, egressProxy: `http://user:${canary}@127.0.0.1:9` });
  await reload(program);
  await reload(program);
  await expect.poll(() => linesOf(program, 'egressProxy changed').length, patience).toBe(2);
  expect(warnings()).toBe(1);
  await replaceFile(program, 'models.json', file);
  await reload(program);
  expect(linesOf(program, 'egressProxy changed')).toHaveLength(2);
  expect(program.output.stdout).not.toContain(canary);
});

// Nothing but time lets the gateway look at its files: this waits for it.
test('a keys file that has changed is read without a signal', async () => {
  const [old, next] = [makeKey(), makeKey()];
  const { program, modelsOf } = await start(callersOf({ shop: old.sha256 }), {}, { polls: true });
  await replaceFile(program, 'config/keys.json', callersOf({ shop: next.sha256 }));
  await expect.poll(() => modelsOf(next.key), patience).toEqual(expect.arrayContaining(names));
  expect(await modelsOf(old.key)).toEqual([401]);
});
