import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { modelsFile, startUpstream } from '../end-to-end/rig.ts';
import { refusedPort } from '../helpers/loopback-server.ts';

const patience = { timeout: 60_000 };

async function simulate() {
  const simulator = await startSimulator({ operationMs: 5 });
  onTestFinished(() => simulator.close());
  return simulator;
}

const smoke = (models: object, ...words: string[]) => startProgram({ command: 'smoke', models, arguments: words });

/** How it ended: its code, and what it said. */
async function ended(program: Program) {
  const code = await program.exited;
  const { stdout, stderr } = program.output;
  expect(stdout + stderr).not.toContain('simulator-key');
  expect(stderr).not.toMatch(/^ +at /m);
  return { code, stdout, stderr };
}

const madeImages = async ({ directory }: Program) =>
  (await readdir(directory)).filter((name) => name.startsWith('smoke-'));

/** The models file of the tests, in which failures would be repeated, and unknown outcomes, too. */
const eager = (origin: string) => modelsFile(origin, 60_000, { maxRetries: 5, onUnknownOutcome: 'retry' });

describe('npm run smoke', () => {
  test.each([
    ['image', 'low'],
    ['gpt-image-1', 'low'],
    // Its lowest quality is what it does unasked, and such values are not sent.
    ['dall-e-3', undefined],
    ['dall-e-2', undefined],
  ])('makes one image with %s, in its lowest quality, and saves it', async (model, quality) => {
    const { origin, ledger } = await simulate();
    const program = await smoke(modelsFile(origin), model, '--yes');
    const { code, stdout, stderr } = await ended(program);
    expect([code, stderr]).toEqual([0, '']);
    const [name = ''] = await madeImages(program);
    expect(name).toMatch(/\.png$/);
    const bytes = await readFile(join(program.directory, name));
    expect(bytes.subarray(1, 4).toString()).toBe('PNG');
    expect(stdout).toContain(`${name}: ${bytes.length} bytes`);
    expect(stdout).toMatch(/Target 1, 1 call,/);
    expect(stdout).toContain('Cost: unknown');
    expect(ledger.counts()).toMatchObject({ billed: 1, images: 1 });
    const [post] = ledger.requests.filter(({ method }) => method === 'POST');
    expect((post?.body as { quality?: string } | undefined)?.quality).toBe(quality);
  });

  test('reports what Azure has counted, and what that costs', async () => {
    const { origin } = await simulate();
    const models = modelsFile(origin, 60_000, { price: { images: [{ quality: 'low', price: 0.0412 }] } });
    const { stdout } = await ended(await smoke({ ...models, currency: 'EUR' }, 'image', '--yes'));
    expect(stdout).toMatch(/Usage: .*total_tokens \d+/);
    expect(stdout).toMatch(/^Cost: 0\.0412 EUR\.$/m);
  });

  test('asks for confirmation: where it cannot, it sends nothing', async () => {
    const { origin, ledger } = await simulate();
    const program = await smoke(modelsFile(origin), 'image');
    const { code, stderr } = await ended(program);
    expect([code, stderr]).toEqual([1, expect.stringContaining('--yes')]);
    expect([ledger.requests, await madeImages(program)]).toEqual([[], []]);
  });

  test.each([[[]], [['nobody']]])('without one known model (%j) it names them', async (words) => {
    const { origin, ledger } = await simulate();
    const { code, stderr } = await ended(await smoke(modelsFile(origin), ...words, '--yes'));
    expect([code, stderr]).toEqual([1, expect.stringContaining('image, studio/poster, dall-e-3, dall-e-2')]);
    expect(ledger.requests).toEqual([]);
  });

  test('does not repeat a call whose outcome is unknown, whatever the model says', async () => {
    const upstream = await startUpstream((_request, response) => void response.destroy());
    const program = await smoke(eager(upstream.origin), 'image', '--yes');
    const { code, stderr } = await ended(program);
    expect([code, upstream.received]).toEqual([1, 1]);
    expect(stderr).toMatch(/upstream_outcome_unknown.*\n.*may have been billed/s);
    expect(await madeImages(program)).toEqual([]);
  });

  test('says what to do about a refusal, and that nothing was billed', async () => {
    const upstream = await startUpstream((_request, response) => void response.writeHead(401).end('{"error":{}}'));
    const { code, stderr } = await ended(await smoke(eager(upstream.origin), 'image', '--yes'));
    expect([code, upstream.received]).toEqual([1, 1]);
    expect(stderr).toMatch(/upstream_auth_failed.*apiKey.*Nothing was billed/s);
  });

  test('says that nothing was billed where Azure cannot be reached', async () => {
    const { code, stderr } = await ended(
      await smoke(eager(`http://127.0.0.1:${await refusedPort()}`), 'image', '--yes'),
    );
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/upstream_unavailable.*ECONNREFUSED.*Nothing was billed/s),
    ]);
  });

  test('Ctrl-C ends a call that was sent, and says that it may have been billed', async () => {
    const upstream = await startUpstream(() => {});
    const program = await smoke(eager(upstream.origin), 'image', '--yes');
    await expect.poll(() => upstream.received, patience).toBe(1);
    program.child.kill('SIGINT');
    const { code, stderr } = await ended(program);
    expect([code, stderr]).toEqual([130, expect.stringMatching(/^Interrupted\..*may have been billed/s)]);
    await expect.poll(() => upstream.connections, patience).toBe(0);
    expect([upstream.received, await madeImages(program)]).toEqual([1, []]);
  });
});
