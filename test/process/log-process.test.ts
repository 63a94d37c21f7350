import { type FileHandle, open } from 'node:fs/promises';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../bench/contestants/free-port.ts';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { generationsPath, modelsFile } from '../end-to-end/rig.ts';
import { openPipe } from '../helpers/open-pipe.ts';

const patience = { timeout: 60_000 };

type Start = Omit<Parameters<typeof startProgram>[0], 'models'> & { readonly aliases?: object };

/** A ready gateway process in front of a simulator, and its URL, which it need not be able to tell. */
async function startReady({ aliases = {}, env, ...start }: Start): Promise<{ program: Program; url: string }> {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const port = await freePort();
  const models = { ...modelsFile(simulator.origin), aliases };
  const program = await startProgram({ ...start, models, env: { ...env, PORT: String(port) } });
  const url = `http://127.0.0.1:${port}`;
  await expect.poll(() => isReady(url), patience).toBe(true);
  return { program, url };
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`).catch(() => undefined);
  return response?.ok ?? false;
}

async function openFull(): Promise<FileHandle> {
  const full = await open('/dev/full', 'w');
  onTestFinished(() => full.close());
  return full;
}

/** The first line of the log has them all: nearly a mebibyte. */
const manyAliases = Object.fromEntries(Array.from({ length: 9_700 }, (_, n) => ['a'.repeat(100) + n, 'image']));

async function makeImage(url: string, key = 'program-key'): Promise<number> {
  const response = await request(`${url}${generationsPath}`, {
    method: 'POST',
    headers: { 'api-key': key, 'content-type': 'application/json' },
    body: '{"prompt":"a cat"}',
  });
  await response.body.dump();
  return response.statusCode;
}

async function interrupt({ child, exited }: Program): Promise<number> {
  child.kill('SIGINT');
  return await exited;
}

describe('a log that cannot be written: it is reported once, images are made, and the process ends', () => {
  test.each(['false', 'true'])('as the disk is full (LOG_PRETTY=%s)', async (pretty) => {
    const stdout = (await openFull()).fd;
    const { program, url } = await startReady({ stdout, env: { LOG_PRETTY: pretty } });
    expect([await makeImage(url), await makeImage(url)]).toEqual([200, 200]);
    expect(await interrupt(program)).toBe(0);
    expect(program.output.stderr).toMatch(/^The log cannot be written.*ENOSPC.*\n$/);
  });

  test('as its reader has died', async () => {
    const { program, url } = await startReady({});
    program.child.stdout?.destroy();
    expect([await makeImage(url), await makeImage(url)]).toEqual([200, 200]);
    expect(await interrupt(program)).toBe(0);
    expect(program.output.stderr).toMatch(/^The log cannot be written.*EPIPE.*\n$/);
  });

  test('not even the introduction of the demo', async () => {
    const stdout = (await openFull()).fd;
    const env = { HOST: '127.0.0.1', SIMULATOR_URL: 'http://127.0.0.1:0' };
    const { program, url } = await startReady({ command: 'demo', stdout, env });
    expect(await makeImage(url, 'demo-key')).toBe(200);
    expect(await interrupt(program)).toBe(0);
    expect(program.output.stderr).toMatch(/^The log cannot be written.*ENOSPC.*\n$/);
  });
});

test('a report that cannot be printed is no success', async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const program = await startProgram({
    models: modelsFile(simulator.origin),
    arguments: ['--check'],
    stdout: (await openFull()).fd,
  });
  expect(await program.exited).not.toBe(0);
});

describe('a log whose reader does not read', () => {
  test('is lost from a limit on, which is reported once, images are made, and the process ends', async () => {
    const stdout = (await openPipe()).fd;
    const { program, url } = await startReady({ stdout, aliases: manyAliases });
    for (let lines = 0; lines < 300; lines += 1) await (await request(`${url}/v1/models`)).body.dump();
    expect(await makeImage(url)).toBe(200);
    expect(await interrupt(program)).toBe(0);
    expect(program.output.stderr).toMatch(
      /^The log has a reader that is too slow.*\nLines of the log were lost: \d+\n$/,
    );
  });

  test('does not hold a process that is to end at once', async () => {
    const stdout = (await openPipe()).fd;
    const { program, url } = await startReady({ stdout, aliases: manyAliases });
    program.child.kill('SIGINT');
    await expect.poll(() => isReady(url), patience).toBe(false);
    expect(await interrupt(program)).toBe(1);
  });
});
