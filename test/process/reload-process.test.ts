import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { generationsPath, modelsFile, startUpstream, tinyPng } from '../end-to-end/rig.ts';

const patience = { timeout: 60_000, interval: 20 };
const image = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });
const canary = 'upstream-key-canary';
const headers = { 'api-key': 'program-key', 'content-type': 'application/json' };

type File = { readonly models: Record<string, object> };

const fileAt = (origin: string) => modelsFile(origin) as File;
/** The same with one more model. */
const withPoster = (file: File) => ({ ...file, models: { ...file.models, poster: file.models.image } });

const modelsIn = ({ directory }: Program) => join(directory, 'models.json');

/** Whoever reads meanwhile finds the old content or the new one. */
async function writeModels(program: Program, content: unknown): Promise<void> {
  const next = join(program.directory, 'next.json');
  await writeFile(next, typeof content === 'string' ? content : JSON.stringify(content));
  await rename(next, modelsIn(program));
}

async function namesOf(url: string): Promise<string[]> {
  const { body } = await request(`${url}/v1/models`, { headers });
  return ((await body.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
}

async function metricOf(url: string, name: string): Promise<number> {
  const { body } = await request(`${url}/metrics`, { headers });
  const lines = (await body.text()).split('\n');
  return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1));
}

function send(url: string, prompt: string, model = 'image') {
  return request(`${url}${generationsPath}`, { method: 'POST', headers, body: JSON.stringify({ model, prompt }) });
}

/** A gateway with one call under way, which its upstream responds to when it is released. */
async function startHeldCall() {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const upstream = await startUpstream(async (_request, response) => {
    await released;
    response.end(image);
  });
  const program = await startProgram({ models: fileAt(upstream.origin) });
  const url = await program.listening();
  const call = send(url, 'a cat');
  await expect.poll(() => upstream.received, patience).toBe(1);
  return { upstream, program, url, call, release };
}

function linesOf({ output }: Program, message: string): Record<string, unknown>[] {
  const lines = output.stdout.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === message);
}

const applied = (program: Program) => linesOf(program, 'reloaded');
const refused = (program: Program) => linesOf(program, 'reload failed: the previous configuration stays in force');

async function expectCleanEnd(program: Program): Promise<void> {
  program.child.kill('SIGINT');
  expect(await program.exited).toBe(0);
  expect(program.output.stderr).toBe('');
  expect(program.output.stdout).not.toContain(canary);
}

describe('SIGHUP', () => {
  test('with a new model: it is there, it is counted, and the process goes on', async () => {
    const upstream = await startUpstream((_request, response) => void response.end(image));
    const file = fileAt(upstream.origin);
    const program = await startProgram({ models: file });
    const url = await program.listening();
    const started = await metricOf(url, 'gateway_reload_last_success_timestamp_seconds');
    expect(await namesOf(url)).not.toContain('poster');
    await writeModels(program, withPoster(file));
    program.child.kill('SIGHUP');
    await expect.poll(() => namesOf(url), patience).toContain('poster');
    const reply = await send(url, 'a cat', 'poster');
    expect([reply.statusCode, reply.headers['x-gateway-model']]).toEqual([200, 'poster']);
    await reply.body.dump();
    await expect.poll(() => applied(program), patience).toHaveLength(1);
    expect(applied(program)[0]).toMatchObject({ level: 30, trigger: 'SIGHUP' });
    expect(await metricOf(url, 'gateway_reloads_total{result="applied"}')).toBe(1);
    expect(await metricOf(url, 'gateway_reload_last_success_timestamp_seconds')).toBeGreaterThan(started);
    await expectCleanEnd(program);
  });

  test.each<[string, string | object, RegExp[]]>([
    ['a file that is half written', '{"models": {"image": {"provider": "azure', [/not valid JSON at line 1/]],
    ['an empty file', '', [/not valid JSON|must hold an object/]],
    [
      'a file with several mistakes',
      { models: { image: { provider: 'azure-v1', apikey: canary }, other: { provider: canary } } },
      [
        /models\.image\.apikey.*did you mean `apiKey`/,
        /models\.image\.baseURL.*is required/,
        /models\.other\.provider/,
      ],
    ],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
    ['a variable that is not set', { models: { image: { apiKey: '${NOT_SET}' } } }, [/NOT_SET is unset/]],
  ])('with %s: the old configuration goes on, and the log names every problem', async (_, content, expected) => {
    const upstream = await startUpstream((_request, response) => void response.end(image));
    const program = await startProgram({ models: fileAt(upstream.origin) });
    const url = await program.listening();
    const names = await namesOf(url);
    const started = await metricOf(url, 'gateway_reload_last_success_timestamp_seconds');
    await writeModels(program, content);
    program.child.kill('SIGHUP');
    await expect.poll(() => refused(program).length, patience).toBeGreaterThan(0);
    const [{ level, problems } = {}] = refused(program);
    expect([level, (problems as string[])[0]]).toEqual([50, `Problems in ${modelsIn(program)}:`]);
    for (const words of expected) expect((problems as string[]).join('\n')).toMatch(words);
    expect(await namesOf(url)).toEqual(names);
    const reply = await send(url, 'a cat');
    await reply.body.dump();
    expect(reply.statusCode).toBe(200);
    expect(await metricOf(url, 'gateway_reloads_total{result="refused"}')).toBe(refused(program).length);
    expect(await metricOf(url, 'gateway_reload_last_success_timestamp_seconds')).toBe(started);
    await expectCleanEnd(program);
  });

  test('deletes the target of a request that runs: that one completes, and is paid once', async () => {
    const { upstream, program, url, call, release } = await startHeldCall();
    const { image: model } = fileAt('http://127.0.0.1:9').models;
    await writeModels(program, { models: { poster: model } });
    program.child.kill('SIGHUP');
    await expect.poll(() => namesOf(url), patience).toEqual(['poster']);
    expect((await send(url, 'a dog')).statusCode).toBe(404);
    release();
    const { statusCode, body } = await call;
    expect(statusCode).toBe(200);
    expect(await body.text()).toContain(tinyPng);
    expect(upstream.received).toBe(1);
    await expectCleanEnd(program);
  });

  test('reads .env again, where the environment from the start wins, and says what has to wait for the next start', async () => {
    const keys: unknown[] = [];
    const upstream = await startUpstream(({ headers: sent }, response) => {
      keys.push(sent['api-key']);
      response.end(image);
    });
    const file = fileAt(upstream.origin);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
    const models = { image: { ...file.models.image, apiKey: '${EAST_KEY:-none}-${WEST_KEY:-none}' } };
    const program = await startProgram({ models: { models }, env: { WEST_KEY: 'given' } });
    const url = await program.listening();
    await (await send(url, 'one')).body.dump();
    const secret = 'LOG_LEVEL=secret-canary';
    await writeFile(join(program.directory, '.env'), `EAST_KEY=rotated\nWEST_KEY=ignored\n${secret}\nPORT=1\n`);
    program.child.kill('SIGHUP');
    await expect.poll(() => applied(program).length, patience).toBeGreaterThan(0);
    await (await send(url, 'two')).body.dump();
    expect(keys).toEqual(['none-given', 'rotated-given']);
    const [line] = linesOf(program, 'changed in .env: takes effect after a restart');
    expect(line).toMatchObject({ level: 40, variables: ['LOG_LEVEL'] });
    expect(program.output.stdout).not.toContain('secret-canary');
    await expectCleanEnd(program);
  });

  test('does not end the process while it starts, and what has changed until it listens is read', async () => {
    const file = fileAt('http://127.0.0.1:9');
    const program = await startProgram({ models: file });
    // Nobody can keep a process from being ended in the moment before any of its code runs.
    const isCaught = () => {
      const [, mask = '0'] = /^SigCgt:\s*(\w+)$/m.exec(readFileSync(`/proc/${program.child.pid}/status`, 'utf8')) ?? [];
      return (BigInt(`0x${mask}`) & 1n) === 1n;
    };
    await expect.poll(isCaught, { ...patience, interval: 1 }).toBe(true);
    for (let signals = 0; signals < 20; signals += 1) {
      program.child.kill('SIGHUP');
      await wait(5);
    }
    await writeModels(program, withPoster(file));
    const url = await program.listening();
    await expect.poll(() => namesOf(url), patience).toContain('poster');
    await expectCleanEnd(program);
  });

  test('does not end the process while it drains, and changes nothing there', async () => {
    const { program, call, release } = await startHeldCall();
    program.child.kill('SIGINT');
    await expect.poll(() => program.output.stdout, patience).toContain('"draining"');
    await writeModels(program, { models: {} });
    for (let signals = 0; signals < 5; signals += 1) {
      program.child.kill('SIGHUP');
      await wait(10);
    }
    release();
    const { statusCode, body } = await call;
    await body.dump();
    expect(statusCode).toBe(200);
    expect(await program.exited).toBe(0);
    expect([applied(program), refused(program)]).toEqual([[], []]);
  });

  test('brings another drainMs, and at the end requests of both configurations get what is known', async () => {
    const upstream = await startUpstream(() => {});
    const program = await startProgram({ models: fileAt(upstream.origin) });
    const url = await program.listening();
    const calls = [send(url, 'one')];
    await expect.poll(() => upstream.received, patience).toBe(1);
    await writeModels(program, { ...withPoster(fileAt(upstream.origin)), limits: { drainMs: 100, lingerMs: 0 } });
    program.child.kill('SIGHUP');
    await expect.poll(() => namesOf(url), patience).toContain('poster');
    calls.push(send(url, 'two', 'poster'));
    await expect.poll(() => upstream.received, patience).toBe(2);
    program.child.kill('SIGINT');
    const responses = await Promise.all(calls);
    const codes = await Promise.all(responses.map(async ({ body }) => /"code":"(\w+)"/.exec(await body.text())?.[1]));
    expect(codes).toEqual(['upstream_outcome_unknown', 'upstream_outcome_unknown']);
    expect(await program.exited).toBe(0);
  });
});

test('20 reloads under 50 requests in flight: no caller meets an error, and nothing is bought twice', async () => {
  const upstream = await startUpstream(async (_request, response) => {
    await wait(50);
    response.end(image);
  });
  const file = fileAt(upstream.origin);
  const program = await startProgram({ models: file });
  const url = await program.listening();
  let isOver = false;
  let succeeded = 0;
  const statuses = new Set<number>();
  const callers = Array.from({ length: 50 }, async (_, caller) => {
    for (let call = 0; !isOver; call += 1) {
      const { statusCode, body } = await send(url, `${caller} ${call}`);
      await body.dump();
      statuses.add(statusCode);
      succeeded += 1;
    }
  });
  for (let reload = 0; reload < 20; reload += 1) {
    const before = succeeded;
    // By turns the model’s target is changed, and unchanged beside another model; every fifth file is broken.
    const { image: model } = file.models;
    const models = { ...file.models, image: { ...model, apiKey: `key-${reload >> 1}` }, [`model-${reload}`]: model };
    await writeModels(program, reload % 5 === 4 ? '{' : { ...file, models });
    program.child.kill('SIGHUP');
    await expect.poll(() => applied(program).length + refused(program).length, patience).toBeGreaterThan(reload);
    await expect.poll(() => succeeded, patience).toBeGreaterThan(before);
  }
  isOver = true;
  await Promise.all(callers);
  expect([...statuses]).toEqual([200]);
  expect(upstream.received).toBe(succeeded);
  await expectCleanEnd(program);
});

describe('without a signal', () => {
  test('a ConfigMap that is replaced is read, and a bad one is refused', async () => {
    const file = fileAt('http://127.0.0.1:9');
    const mounted = await mkdtemp(join(tmpdir(), 'mounted-'));
    onTestFinished(() => rm(mounted, { recursive: true }));
    const publish = async (version: string, content: string) => {
      await mkdir(join(mounted, version), { recursive: true });
      await writeFile(join(mounted, version, 'models.json'), content);
      await symlink(version, join(mounted, '..data_tmp'));
      await rename(join(mounted, '..data_tmp'), join(mounted, '..data'));
    };
    await publish('..1', JSON.stringify(file));
    await symlink('..data/models.json', join(mounted, 'models.json'));
    const program = await startProgram({ polls: true, env: { MODELS_FILE: join(mounted, 'models.json') } });
    const url = await program.listening();
    await publish('..2', JSON.stringify(withPoster(file)));
    await rm(join(mounted, '..1'), { recursive: true });
    await expect.poll(() => namesOf(url), patience).toContain('poster');
    await expect.poll(() => applied(program), patience).toMatchObject([{ trigger: 'change' }]);
    await publish('..3', '{"models":');
    await expect.poll(() => refused(program), patience).toMatchObject([{ trigger: 'change' }]);
    expect(await namesOf(url)).toContain('poster');
    await expectCleanEnd(program);
  });
});
