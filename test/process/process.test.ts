import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { Agent, request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { v1Target } from '../config/example-models.ts';
import { type Program, startProgram } from '../end-to-end/program.ts';
import {
  exchange,
  generationsPath,
  modelsFile,
  openSocket,
  rawCall,
  startUpstream,
  tinyPng,
} from '../end-to-end/rig.ts';
import { refusedPort } from '../helpers/loopback-server.ts';

const patience = { timeout: 60_000 };
const key = 'authorization: Bearer program-key';

const canary = 'upstream-key-canary';

test('the tests run on a Node that the gateway supports', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  expect(major > 24 || (major === 24 && minor >= 15)).toBe(true);
});

/** Waits for a start to fail; gives what it said. */
async function failedStart(program: Program): Promise<string> {
  expect(await program.exited).toBe(1);
  expect(program.output.stdout).toBe('');
  expect(program.output.stderr).not.toContain(canary);
  expect(program.output.stderr).not.toMatch(/^ +at /m);
  return program.output.stderr;
}

const shippedModels = () => readFile(new URL('../../config/models.json', import.meta.url), 'utf8');

describe('a start that cannot succeed', () => {
  test.each([
    ['all', {}, ['AZURE_OPENAI_ENDPOINT', 'AZURE_OPENAI_API_KEY']],
    ['the endpoint', { AZURE_OPENAI_API_KEY: canary }, ['AZURE_OPENAI_ENDPOINT']],
    ['the key', { AZURE_OPENAI_ENDPOINT: 'https://one.openai.azure.com' }, ['AZURE_OPENAI_API_KEY']],
  ])('missing variables (%s): exactly those are named, with the way to the demo', async (_, env, missing) => {
    const said = await failedStart(await startProgram({ models: await shippedModels(), env }));
    const named = [...said.matchAll(/environment variable (\w+) is unset or empty/g)].map(([, name]) => name);
    expect(named).toEqual(missing);
    expect(said).toContain('npm run demo');
  });

  test.each<[string, unknown, string[]]>([
    ['no such file', undefined, ['models.json', 'cannot read the file']],
    ['no JSON', '{"models": {', ['models.json']],
    ['an unknown key', { models: { one: { provider: 'azure-v1', modle: 'x' } } }, ['models.one', 'modle', 'model']],
    ['a secret in the wrong place', { models: { one: { apikey: canary } } }, ['apikey', 'apiKey']],
  ])('a bad models file (%s): the problem is named', async (_, models, expected) => {
    const said = await failedStart(await startProgram({ models }));
    for (const words of expected) expect(said).toContain(words);
    expect(said).not.toContain('npm run demo');
  });

  test.each([
    ['0.0.0.0', 'HOST'],
    ['::', 'HOST'],
  ])('listening on %s without keys is refused', async (host, variable) => {
    const env = { HOST: host, GATEWAY_API_KEYS: '' };
    const said = await failedStart(await startProgram({ models: modelsFile('https://one.openai.azure.com'), env }));
    expect(said).toContain(variable);
    expect(said).toContain('GATEWAY_API_KEYS');
  });

  test('an address in use: it says so, and what to set', async () => {
    const env = { PORT: String(await occupyPort()) };
    const program = await startProgram({ models: modelsFile('https://one.openai.azure.com'), env });
    expect(await failedStart(program)).toMatch(/in use.*PORT/);
  });

  test('a port for the metrics that is in use: it says so, and the process ends', async () => {
    const env = { METRICS_PORT: String(await occupyPort()) };
    const program = await startProgram({ models: modelsFile('https://one.openai.azure.com'), env });
    expect(await program.exited).toBe(1);
    expect(program.output.stderr).toMatch(/in use.*METRICS_PORT/);
  });

  test.each([
    ['0.0.0.1', /^0\.0\.0\.1 is not an address of this machine: set HOST/],
    ['no-such-host.invalid', /^The name in HOST cannot be resolved/],
  ])('HOST %s, where nobody can listen: it says so', async (HOST, sentence) => {
    const env = { HOST, GATEWAY_API_KEYS: 'a-key-that-is-long' };
    const program = await startProgram({ models: modelsFile('https://one.openai.azure.com'), env });
    expect(await failedStart(program)).toMatch(sentence);
  });

  test('a DATA_DIR that cannot be there: it says so in one sentence', async () => {
    const env = { DATA_DIR: '/dev/null/images' };
    const program = await startProgram({ models: modelsFile('https://one.openai.azure.com'), env });
    expect(await failedStart(program)).toBe(
      'DATA_DIR cannot be used (/dev/null/images): a part of the path is not a directory.\n',
    );
  });

  test('an IMAGES_URL that nobody serves: it says so in one sentence, without the key', async () => {
    const IMAGES_URL = `azblob://pictures/images?endpoint=http://127.0.0.1:${await refusedPort()}/pictures`;
    const AZURE_STORAGE_KEY = 'c2VjcmV0LWNhbmFyeS1zZWNyZXQtY2FuYXJ5';
    const env = { IMAGES_URL, AZURE_STORAGE_KEY };
    const program = await startProgram({ models: modelsFile('https://one.openai.azure.com'), env });
    expect(await failedStart(program)).toBe(
      'Error: IMAGES_URL cannot be used: the object store did not respond (ECONNREFUSED)\n',
    );
  });

  test('a DATA_DIR that another gateway uses: both run', async () => {
    const models = modelsFile('https://one.openai.azure.com');
    const first = await startProgram({ models });
    await first.listening();
    const second = await startProgram({ models, env: { DATA_DIR: join(first.directory, 'data') } });
    await second.listening();
  });

  test('every wrong variable is named at once, none with its value', async () => {
    const env = { PORT: 'port-canary', LOG_LEVEL: 'level-canary', LOG_PRETTY: 'pretty-canary' };
    const said = await failedStart(await startProgram({ models: modelsFile('https://one.openai.azure.com'), env }));
    for (const name of Object.keys(env)) expect(said).toContain(name);
  });
});

describe('what is allowed, but should be seen to', () => {
  const models = { models: { image: { ...v1Target, model: 'my-deployment', apiKey: canary } } };
  const warned = [
    'models.image.apiKey (line 1): the file contains this secret',
    'models.image.model (line 1): unknown model family',
    'key 1 of 1',
  ];

  test('stands at the end of what --check prints, which ends well', async () => {
    const program = await startProgram({ models, arguments: ['--check'] });
    expect(await program.exited).toBe(0);
    expect(program.output.stdout).toContain('target 1: azure-v1, family any other model, priority 0');
    for (const words of warned)
      expect(program.output.stdout).toMatch(new RegExp(`^Warning: .*${words.replaceAll(/[()[\]]/g, '.')}`, 'm'));
  });

  test('is in the log of the start', async () => {
    const program = await startProgram({ models });
    await program.listening();
    await expect.poll(() => program.output.stdout, patience).toContain(warned.at(-1));
    for (const words of warned) expect(program.output.stdout).toContain(words);
    expect(program.output.stdout).not.toContain(canary);
  });
});

describe('every origin of web pages', () => {
  const start = (keys: string, origins: string) =>
    startProgram({
      models: modelsFile('https://one.openai.azure.com'),
      env: { GATEWAY_API_KEYS: keys, CORS_ORIGINS: origins },
      arguments: ['--check'],
    });
  const warning = 'Warning: the environment: CORS_ORIGINS: without authentication';

  test.each([
    ['', '*', true],
    ['', 'https://app.example.com, *', true],
    ['', 'https://app.example.com', false],
    ['program-key', '*', false],
  ])('with the keys "%s", "%s" is warned of: %s', async (keys, origins, isWarned) => {
    const program = await start(keys, origins);
    expect(await program.exited).toBe(0);
    expect(program.output.stdout.includes(warning)).toBe(isWarned);
  });
});

test('problems of the environment and of the models file are reported at once', async () => {
  const env = { PORT: 'canary', GATEWAY_API_KEY: canary, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
  const program = await startProgram({ models: await shippedModels(), env, arguments: ['--check'] });
  const said = await failedStart(program);
  for (const name of [...Object.keys(env), 'AZURE_OPENAI_ENDPOINT']) expect(said).toContain(name);
  expect(said).toContain('did you mean `GATEWAY_API_KEYS`?');
});

/** A port on which somebody listens already. */
async function occupyPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('--check', () => {
  test('takes a variable that the models file reads for no misspelt one of the gateway', async () => {
    const target = { ...v1Target, headers: { 'cf-aig-authorization': `$\{GATEWAY_TOKEN}` } };
    const check = (env: Record<string, string>) =>
      startProgram({ models: { models: { image: target } }, arguments: ['--check'], env });
    const program = await check({ GATEWAY_TOKEN: canary });
    expect([await program.exited, program.output.stderr]).toEqual([0, '']);
    const said = await failedStart(await check({ GATEWAY_TOKEN: canary, GATEWAY_KEY: canary }));
    expect(said).toContain('GATEWAY_KEY: unknown variable');
    expect(said).not.toContain('GATEWAY_TOKEN');
  });

  test('prints models, other names, targets and addresses, no key, and ends well', async () => {
    const { aliases, models } = modelsFile('https://one.openai.azure.com') as ReturnType<typeof Object>;
    const secret = Object.fromEntries(
      Object.entries(models as object).map(([name, model]) => [name, { ...model, apiKey: canary }]),
    );
    const program = await startProgram({
      models: { defaultModel: 'image', aliases, models: secret },
      arguments: ['--check'],
    });
    expect(await program.exited).toBe(0);
    const { stdout, stderr } = program.output;
    expect(stderr).toBe('');
    expect(stdout).not.toContain(canary);
    expect(stdout).not.toContain('program-key');
    const base = 'https://one.openai.azure.com/openai';
    for (const line of [
      'image (default model; aliases gpt-image-1; timeout 60 s)',
      'studio/poster (',
      'dall-e-3 (',
      'dall-e-2 (',
      `POST ${base}/deployments/gpt-image-2/images/generations?api-version=2025-04-01-preview`,
      `POST ${base}/v1/images/generations`,
      `POST ${base}/deployments/dall-e-3/images/generations?api-version=2024-10-21`,
      `POST ${base}/images/generations:submit?api-version=2023-06-01-preview`,
    ]) {
      expect(stdout).toContain(line);
    }
  });

  test('of a configuration with problems names them and ends with 1', async () => {
    const program = await startProgram({ models: await shippedModels(), arguments: ['--check'] });
    expect(await failedStart(program)).toContain('AZURE_OPENAI_ENDPOINT');
  });
});

/** Sends a call and collects what comes back; `closed` settles when the connection ends. */
function sendCall(url: string, body: unknown): { readonly text: () => string; readonly closed: Promise<unknown> } {
  const socket = openSocket(url);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
  });
  socket.on('end', () => socket.end());
  const closed = once(socket, 'close');
  socket.write(rawCall(body, [key]));
  return { text: () => text, closed };
}

async function holdIdleConnection(url: string): Promise<Socket> {
  const socket = openSocket(url);
  socket.on('end', () => socket.end());
  socket.write('GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n');
  await once(socket, 'data');
  return socket;
}

const oneImage = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

/** A gateway process in front of an upstream that responds to each call when the test says so. */
async function startHeldProgram() {
  const released = Promise.withResolvers<void>();
  const upstream = await startUpstream(async (_request, response) => {
    await released.promise;
    response.end(oneImage);
  });
  const program = await startProgram({ models: modelsFile(upstream.origin) });
  const url = await program.listening();
  return { program, url, upstream, release: () => released.resolve() };
}

describe('the end of the process', () => {
  test('SIGINT: idle connections are closed, the running request finishes, the exit is clean', async () => {
    const { program, url, upstream, release } = await startHeldProgram();
    const idle = await Promise.all([holdIdleConnection(url), holdIdleConnection(url), holdIdleConnection(url)]);
    const call = sendCall(url, { prompt: 'a cat' });
    await expect.poll(() => upstream.received, patience).toBe(1);
    const released = Promise.all(idle.map((socket) => once(socket, 'close')));
    program.child.kill('SIGINT');
    await released;
    await expect(request(`${url}/healthz`, { dispatcher: new Agent() })).rejects.toThrow('ECONNREFUSED');
    release();
    await call.closed;
    expect(call.text()).toMatch(/^HTTP\/1\.1 200 /);
    expect(call.text()).toContain(tinyPng);
    expect(await program.exited).toBe(0);
    expect(program.output.stdout).toContain('"closed"');
    expect(program.output.stderr).toBe('');
  });

  describe.each(['SIGINT', 'SIGTERM'] as const)('a second %s', (signal) => {
    const endTwice = async (program: Program) => {
      program.child.kill(signal);
      await expect.poll(() => program.output.stdout, patience).toContain('"draining"');
      program.child.kill(signal);
    };

    test('informs a caller whose call runs that its outcome is unknown, and not to repeat it, and ends', async () => {
      const { program, url, upstream } = await startHeldProgram();
      const call = sendCall(url, { prompt: 'a cat' });
      await expect.poll(() => upstream.received, patience).toBe(1);
      await endTwice(program);
      await call.closed;
      expect(call.text()).toMatch(/^HTTP\/1\.1 502 /);
      expect(call.text()).toMatch(/\r\nx-should-retry: false\r\n/);
      expect(call.text()).toContain('"code":"upstream_outcome_unknown"');
      expect(await program.exited).toBe(1);
      await expect.poll(() => upstream.connections, patience).toBe(0);
    });

    test('informs a caller whose stream has begun in an error event', async () => {
      const upstream = await startUpstream((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const type = 'image_generation.partial_image';
        const event = { type, b64_json: tinyPng, created_at: 1, partial_image_index: 0 };
        response.write(`event: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
      });
      const program = await startProgram({ models: modelsFile(upstream.origin) });
      const call = sendCall(await program.listening(), { prompt: 'a cat', stream: true, partial_images: 1 });
      await expect.poll(call.text, patience).toContain('partial_image');
      await endTwice(program);
      await call.closed;
      expect(call.text()).toMatch(/event: error\ndata: \{"error":.*"code":"upstream_outcome_unknown"/);
      expect(await program.exited).toBe(1);
    });

    test('informs a caller whose call has not been sent that it can go elsewhere', async () => {
      const upstream = await startUpstream(() => {});
      const models = { ...modelsFile(upstream.origin), limits: { inFlight: 1 } };
      const program = await startProgram({ models });
      const url = await program.listening();
      const first = sendCall(url, { prompt: 'a cat' });
      await expect.poll(() => upstream.received, patience).toBe(1);
      const queued = sendCall(url, { prompt: 'a dog' });
      const inFlight = async () =>
        (await (await request(`${url}/metrics`, { headers: { 'api-key': 'program-key' } })).body.text()).match(
          /^gateway_requests_in_flight (\d+)$/m,
        )?.[1];
      await expect.poll(inFlight, patience).toBe('3');
      await endTwice(program);
      await Promise.all([first.closed, queued.closed]);
      expect(first.text()).toMatch(/^HTTP\/1\.1 502 /);
      expect(queued.text()).toMatch(/^HTTP\/1\.1 503 /);
      expect(queued.text()).not.toContain('x-should-retry');
      expect(await program.exited).toBe(1);
    });
  });

  test('SIGTERM: not ready any more but still serving, then the running request finishes and the exit is clean', async () => {
    const { program, url, upstream, release } = await startHeldProgram();
    const call = sendCall(url, { prompt: 'a cat' });
    await expect.poll(() => upstream.received, patience).toBe(1);
    program.child.kill('SIGTERM');
    const ready = async () => (await request(`${url}/readyz`)).statusCode;
    await expect.poll(ready, patience).toBe(503);
    const models = await request(`${url}/v1/models`, { headers: { 'api-key': 'program-key' } });
    expect(models.statusCode).toBe(200);
    release();
    await call.closed;
    expect(call.text()).toMatch(/^HTTP\/1\.1 200 /);
    expect(call.text()).toContain(tinyPng);
    expect(await program.exited).toBe(0);
  });

  test('the drain limit: the unknown outcome is reported to the caller, with no retry, and then the process ends', async () => {
    const upstream = await startUpstream(() => {});
    const models = { ...modelsFile(upstream.origin), limits: { drainMs: 100, lingerMs: 0 } };
    const program = await startProgram({ models });
    const call = sendCall(await program.listening(), { prompt: 'a cat' });
    await expect.poll(() => upstream.received, patience).toBe(1);
    program.child.kill('SIGINT');
    await call.closed;
    expect(call.text()).toMatch(/^HTTP\/1\.1 502 /);
    expect(call.text()).toMatch(/\r\nx-should-retry: false\r\n/);
    expect(call.text()).toContain('"code":"upstream_outcome_unknown"');
    expect(await program.exited).toBe(0);
    await expect.poll(() => upstream.connections, patience).toBe(0);
  });

  test('the drain limit in the middle of an image that its reader does not read: truncated, and the process ends', async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const program = await startProgram({
      models: { ...modelsFile(simulator.origin), limits: { drainMs: 100, lingerMs: 0 } },
    });
    const socket = openSocket(await program.listening());
    socket.write(rawCall({ prompt: 'simulate:big-64' }, [key]));
    await once(socket, 'data');
    socket.pause();
    program.child.kill('SIGINT');
    expect(await program.exited).toBe(0);
  });
});

describe('a running process', () => {
  test('says where it listens and which models it has, and no key', async () => {
    const models = {
      models: { one: { provider: 'azure-v1', model: 'gpt-image-2', baseURL: 'https://a.b', apiKey: canary } },
    };
    const program = await startProgram({ models });
    const url = await program.listening();
    const [line = ''] = program.output.stdout.split('\n');
    expect(JSON.parse(line)).toMatchObject({ msg: 'listening', url, models: ['one'] });
    expect(program.output.stdout).not.toContain(canary);
    expect(program.output.stdout).not.toContain('program-key');
  });

  test('without keys warns that everybody on this machine may call', async () => {
    const models = modelsFile('https://one.openai.azure.com');
    const program = await startProgram({ models, env: { GATEWAY_API_KEYS: '' } });
    await program.listening();
    await expect.poll(() => program.output.stdout, patience).toContain('GATEWAY_API_KEYS is not set');
  });

  test.each([
    ['a URL that cannot be decoded', 'GET /%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 400],
    ['garbage', 'garbage\r\n\r\n', 400],
    // With `--disable-proto=throw` Node's own server throws at that name, and the process ends.
    ['a header __proto__', 'GET /healthz HTTP/1.1\r\nhost: x\r\n__proto__: x\r\nconnection: close\r\n\r\n', 200],
  ])('survives %s from a stranger', async (_, bytes, status) => {
    const program = await startProgram({ models: modelsFile('https://one.openai.azure.com') });
    const url = await program.listening();
    expect(await exchange(url, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect((await request(`${url}/readyz`)).statusCode).toBe(200);
    expect(program.child.exitCode).toBeNull();
  });

  test('survives a client that disconnects in the middle of an image', async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const program = await startProgram({ models: modelsFile(simulator.origin) });
    const url = await program.listening();
    for (let times = 0; times < 3; times += 1) {
      const socket = openSocket(url);
      socket.write(rawCall({ prompt: 'simulate:big-16' }, [key]));
      await once(socket, 'data');
      socket.resetAndDestroy();
    }
    await expect.poll(() => program.output.stdout.match(/"end":"disconnected"/g), patience).toHaveLength(3);
    const response = await request(`${url}${generationsPath}`, {
      method: 'POST',
      headers: { 'api-key': 'program-key', 'content-type': 'application/json' },
      body: '{"prompt":"a cat"}',
    });
    expect(response.statusCode).toBe(200);
    expect(program.output.stderr).toBe('');
  });
});

describe('the demo', () => {
  // Everything that .env could say is said here, so that a developer's own .env changes nothing.
  const env = { HOST: '127.0.0.1', PORT: '0', LOG_PRETTY: 'false', SIMULATOR_URL: 'http://127.0.0.1:0' };

  // In a container it listens on all addresses.
  test.each(['127.0.0.1', '0.0.0.0'])(
    'on %s prints an address and a key that work, and ends with SIGINT',
    async (HOST) => {
      const program = await startProgram({ command: 'demo', env: { ...env, HOST } });
      await expect.poll(() => program.output.stdout, patience).toContain('Ctrl-C');
      const [, url = '', key = ''] =
        /The gateway listens on (http:\S+); the key is ([\w-]+)\./.exec(program.output.stdout) ?? [];
      const response = await request(`${url.replace('localhost', '127.0.0.1')}${generationsPath}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: '{"model":"dall-e-2","prompt":"a cat","size":"256x256","response_format":"b64_json"}',
      });
      expect(response.statusCode).toBe(200);
      const { data } = (await response.body.json()) as { data: { b64_json: string }[] };
      expect(data[0]?.b64_json.slice(0, 8)).toBe('iVBORw0K');
      program.child.kill('SIGINT');
      expect(await program.exited).toBe(0);
    },
  );

  test('with .env.example as it is and PORT=0 takes free ports and writes readable lines', async () => {
    const example = parse(await readFile('.env.example', 'utf8'));
    const program = await startProgram({ command: 'demo', env: { ...example, HOST: '127.0.0.1', PORT: '0' } });
    await expect.poll(() => program.output.stdout, patience).toContain('Ctrl-C');
    const { stdout } = program.output;
    expect(stdout).toMatch(/^\[[\d:.]+\] INFO: /m);
    expect(stdout).not.toContain('localhost:8866');
    expect(stdout).not.toContain(':8867');
  });

  test('on a free port takes one for its simulator, too, and shows what images cost', async () => {
    const program = await startProgram({ command: 'demo', env: { ...env, SIMULATOR_URL: '' } });
    await expect.poll(() => program.output.stdout, patience).toContain('Ctrl-C');
    const { stdout } = program.output;
    const [, url = ''] = /The gateway listens on (http:\S+);/.exec(stdout) ?? [];
    const [, simulator = ''] = /full list: (http:\S+)/.exec(stdout) ?? [];
    expect([new URL(url).port, new URL(simulator).port]).not.toContain('8867');
    expect((await request(simulator)).statusCode).toBe(200);
    const costs: unknown[] = [];
    for (const model of ['azure-image', 'azure-image-v1', 'artist', 'dall-e-3']) {
      const response = await request(`${url.replace('localhost', '127.0.0.1')}${generationsPath}`, {
        method: 'POST',
        headers: { authorization: 'Bearer demo-key', 'content-type': 'application/json' },
        body: JSON.stringify({ model, prompt: 'a cat' }),
      });
      await response.body.dump();
      costs.push([response.statusCode, response.headers['x-gateway-cost-usd']]);
    }
    expect(costs).toEqual([
      [200, '0.04'],
      [200, '0.08'],
      [200, '0.04'],
      [200, '0.04'],
    ]);
  });

  test('when the port of its simulator is taken, names that port and not the gateway’s', async () => {
    const port = await occupyPort();
    const program = await startProgram({
      command: 'demo',
      env: { ...env, SIMULATOR_URL: `http://127.0.0.1:${port}` },
    });
    expect(await program.exited).toBe(1);
    expect(program.output.stderr).toContain(String(port));
  });

  test('with a SIMULATOR_URL that is none, names the variable', async () => {
    const program = await startProgram({ command: 'demo', env: { ...env, SIMULATOR_URL: '8867' } });
    expect(await program.exited).toBe(1);
    expect(program.output.stderr).toBe('Error: SIMULATOR_URL must be an address, such as http://127.0.0.1:8867\n');
  });
});
