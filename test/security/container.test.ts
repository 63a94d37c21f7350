import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { padded, pngImage } from '../end-to-end/edits.ts';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';
import { callGateway } from '../helpers/call-gateway.ts';

// What the image promises, without an engine for containers: Node itself forbids the process to write anywhere but to its
// volume, and to start any other process, shells among them; no PATH and no HOME are set.

const key = { authorization: 'Bearer program-key' };

/** The job store has a thread of its own, which is forbidden the same; Node warns of threads all the same. */
const permissions = ['--permission', '--allow-worker', '--disable-warning=PERM0006', '--allow-fs-read=*'];

/** An empty volume. */
async function makeVolume(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'volume-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

async function startConfined(volume: string, env: Record<string, string>): Promise<Program> {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  onTestFinished(() => simulator.close());
  return startProgram({
    models: modelsFile(simulator.origin),
    env,
    nodeOptions: [...permissions, `--allow-fs-write=${volume}/*`],
  });
}

describe('a gateway that may write to its volume only', () => {
  test('draws, hosts, edits, logs, and ends well', async () => {
    const volume = await makeVolume();
    const program = await startConfined(volume, { DATA_DIR: volume, LOG_LEVEL: 'debug' });
    const url = await program.listening();

    const drawn = await callGateway(url, { prompt: 'a cat' }, { headers: key });
    expect([drawn.status, drawn.json().data.length]).toEqual([200, 1]);

    const hosted = await callGateway(url, { prompt: 'a cat', response_format: 'url' }, { headers: key });
    const file = await fetch(String(hosted.json().data[0]?.url));
    expect([file.status, file.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(100);

    const form = new FormData();
    form.append('prompt', 'a hat');
    form.append('image', new Blob([new Uint8Array(padded(await pngImage(), 3_000_000))]), 'a.png');
    const edited = await fetch(`${url}/v1/images/edits`, { method: 'POST', headers: key, body: form });
    expect(edited.status).toBe(200);
    await edited.arrayBuffer();

    const database = ['jobs.sqlite', 'jobs.sqlite-shm', 'jobs.sqlite-wal'];
    expect((await readdir(volume)).sort()).toEqual(['arriving', 'images', ...database, 'owners', 'uploads']);
    program.child.kill('SIGINT');
    expect(await program.exited).toBe(0);
    expect(program.output.stderr).toBe('');
  });

  test('needs no volume where nothing is hosted, but the directory for temporary files', async () => {
    const TMPDIR = await makeVolume();
    const program = await startConfined(TMPDIR, { DATA_DIR: '', TMPDIR });
    const drawn = await callGateway(await program.listening(), { prompt: 'a cat' }, { headers: key });
    expect(drawn.status).toBe(200);
  });

  test('logs for people, too', async () => {
    const volume = await makeVolume();
    const program = await startConfined(volume, { DATA_DIR: volume, LOG_PRETTY: 'true' });
    await expect.poll(() => program.output.stdout, { timeout: 60_000 }).toContain('listening');
    expect(program.output.stderr).toBe('');
  });

  test('does not start where its volume is another one: the prohibition is in force', async () => {
    const program = await startConfined(await makeVolume(), { DATA_DIR: join(tmpdir(), 'elsewhere') });
    expect(await program.exited).toBe(1);
    expect(program.output.stderr).toMatch(/Error: .*restricted/);
  });
});
