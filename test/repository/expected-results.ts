import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect } from 'vitest';
import type { Simulator } from '../../simulator/start-simulator.ts';
import { expectImages } from './run-program.ts';

/** The state after a command has ended: what it printed, where it ran, and the simulator that it may have called. */
type Done = { readonly stdout: string; readonly directory: string; readonly simulator: Simulator };

type Expect = (command: string, done: Done) => void | Promise<void>;

/** The check of a command's result; `undefined` if there is none. */
export function resultOf(command: string): Expect | undefined {
  return results.find(([looks]) => looks.test(command))?.[1];
}

/** By pattern of the command; the first match counts. */
const results: readonly (readonly [RegExp, Expect])[] = [
  [/^cp \.env\.example \.env$/, (_, { directory, simulator }) => fillIn(join(directory, '.env'), simulator)],
  [/--check$|^npm run check-config$/, (_, { stdout, simulator }) => expectCheck(stdout, simulator)],
  [/^npm run doctor$/, (_, { stdout, simulator }) => expectReport(stdout, simulator)],
  [/^npm run smoke/, (_, { directory }) => expectSmoke(directory)],
  [/^npm run key -- --name web-shop$/, (_, { stdout }) => expectKey(stdout, 'web-shop')],
  [/respond-async/, (_, { directory }) => expectJob(directory)],
  [/wait=60/, (_, { stdout }) => expectEnded(stdout)],
  [/Idempotency-Key/, (_, { stdout, simulator }) => expectPaidOnce(stdout, simulator)],
  [/\.png/, (command, { directory }) => expectImages(directory, command)],
  [/\/v1\/responses .*"stream":true/, (_, { stdout }) => expectResponseEvents(stdout)],
  [/"stream":true/, (_, { stdout }) => expectEvents(stdout)],
  [/"simulate:500"/, (_, { stdout }) => expectFailure(stdout)],
  [/"prompt":/, (command, { stdout }) => expectResponse(command, stdout)],
  [/\/simulator\/scenarios$/, (_, { stdout }) => expect(stdout).toContain('429-seconds')],
  [/\/simulator\/ledger$/, (_, { stdout }) => expect(JSON.parse(stdout)).toMatchObject({ billed: 0 })],
];

/** Does by machine what the comment in the README tells the reader to do. */
async function fillIn(file: string, { origin, apiKey }: Simulator): Promise<void> {
  const given: Record<string, string> = { AZURE_OPENAI_ENDPOINT: origin, AZURE_OPENAI_API_KEY: apiKey };
  const text = await readFile(file, 'utf8');
  await writeFile(
    file,
    text.replace(/^(AZURE_OPENAI_(?:ENDPOINT|API_KEY))=$/gm, (_, name: string) => `${name}=${given[name]}`),
  );
}

function expectCheck(stdout: string, { origin, ledger }: Simulator): void {
  expect(stdout).toContain('The configuration is valid.');
  expect(stdout).toContain(`POST ${origin}/`);
  expect(ledger.requests).toEqual([]);
}

function expectReport(stdout: string, { ledger }: Simulator): void {
  expect(stdout).toMatch(/^.* ok +ok +unknown$/m);
  expect(ledger.counts()).toMatchObject({ received: 0, billed: 0 });
}

async function expectSmoke(directory: string): Promise<void> {
  const saved = (await readdir(directory)).filter((name) => name.startsWith('smoke-'));
  expect(saved).toHaveLength(1);
  expect((await sharp(join(directory, saved[0] ?? '')).metadata()).format).toBe('png');
}

function expectKey(stdout: string, name: string): void {
  expect(stdout).toMatch(/^ {2}aig_[\w-]{43}$/m);
  expect(stdout).toMatch(new RegExp(`^ {2}"${name}": {"keys":\\[{"sha256":"[0-9a-f]{64}"}\\]}$`, 'm'));
}

async function expectJob(directory: string): Promise<void> {
  const job = JSON.parse(await readFile(join(directory, 'job.json'), 'utf8'));
  expect(job).toMatchObject({ object: 'image.job', id: expect.stringMatching(/^imgjob_/), error: null });
}

function expectEnded(stdout: string): void {
  expect(JSON.parse(stdout)).toMatchObject({ object: 'image.job', status: 'completed' });
}

/** However often the command was run. */
function expectPaidOnce(stdout: string, { ledger }: Simulator): void {
  expect(stdout).toMatch(/^HTTP\/1\.1 200 /);
  expect(stdout).toMatch(/^x-gateway-job: imgjob_[\w-]{24}\r$/m);
  expect(ledger.counts()).toMatchObject({ billed: 1 });
}

function expectEvents(stdout: string): void {
  const names = [...stdout.matchAll(/^event: image_generation\.(.*)$/gm)].map(([, name]) => name);
  expect(names).toEqual(['partial_image', 'partial_image', 'completed']);
}

function expectResponseEvents(stdout: string): void {
  const names = [...stdout.matchAll(/^event: response\.(.*)$/gm)].map(([, name = '']) => name);
  expect(names.filter((name) => name.endsWith('partial_image'))).toHaveLength(2);
  expect([names[0], names.at(-1)]).toEqual(['created', 'completed']);
}

/** As docs/failures.md says. */
function expectFailure(stdout: string): void {
  expect(stdout).toMatch(/^HTTP\/1\.1 502 /);
  expect(stdout).toMatch(/^x-gateway-attempts: 3\r$/m);
  expect(stdout).toMatch(/^x-should-retry: false\r$/m);
  expect(stdout).toContain('"code":"upstream_generation_failed"');
}

/** The response has as many whole images as the call requested, in the form that it requested. */
async function expectResponse(command: string, stdout: string): Promise<void> {
  const [, json = ''] = /-d '([^']+)'/.exec(command) ?? [];
  const requested = JSON.parse(json) as { n?: number; response_format?: string };
  const { data } = JSON.parse(stdout) as { data: { url?: string; b64_json?: string }[] };
  expect(data).toHaveLength(requested.n ?? 1);
  for (const image of data) {
    if (requested.response_format) expect(image).toHaveProperty(requested.response_format);
    const { url = `data:;base64,${image.b64_json}` } = image;
    const bytes = await (await fetch(url)).arrayBuffer();
    expect((await sharp(bytes).metadata()).format).toBe('png');
  }
}
