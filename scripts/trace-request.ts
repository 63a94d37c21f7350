import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSimulator } from '../simulator/start-simulator.ts';
import { readConfiguration } from '../src/cli/configuration.ts';
import { buildGateway } from '../src/cli/run-gateway.ts';

// Counts what one small JSON generation runs: the files and distinct named functions of src/, and how many calls of ours
// lie between `gateway.start` and `provider.generate`. With --list it names them.

const { values } = parseArgs({ options: { list: { type: 'boolean', default: false } } });
const src = fileURLToPath(new URL('../src/', import.meta.url));

const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
const model = { provider: 'azure-deployment', model: 'gpt-image-2', deployment: 'gpt-image-2' };
const directory = mkdtempSync(join(tmpdir(), 'trace-'));
const modelsFile = join(directory, 'models.json');
const target = { ...model, apiVersion: '2025-04-01-preview', baseURL: simulator.origin, apiKey: simulator.apiKey };
writeFileSync(modelsFile, JSON.stringify({ models: { 'azure-image': target } }));
const { app } = await buildGateway(readConfiguration({ MODELS_FILE: modelsFile, KEYS_FILE: '' }));
rmSync(directory, { recursive: true });
const url = await app.server.listen({ host: '127.0.0.1', port: 0 });
app.lifecycle.phase = 'ready';

/** One image, and a moment more for what ends after its response. */
async function generate(): Promise<void> {
  const response = await fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'azure-image', prompt: 'A cute cat', n: 1, size: '1024x1024' }),
  });
  const { data } = (await response.json()) as { data: unknown[] };
  if (response.status !== 200 || data.length !== 1) throw new Error(`status ${response.status}`);
  await new Promise((resolve) => setTimeout(resolve, 200));
}

/** The frames between `start` and `generate`, innermost first. */
let nesting: string[] = [];
Error.stackTraceLimit = 100;
for (const { targets } of app.gateway.catalog.models) {
  for (const { provider } of targets) {
    const inner = provider.generate;
    Object.assign(provider, {
      generate(...parts: Parameters<typeof inner>) {
        nesting = ownFrames(new Error('here').stack ?? '');
        return inner.apply(provider, parts);
      },
    });
  }
}

function ownFrames(stack: string): string[] {
  const frames = stack.split('\n').flatMap((line) => {
    const [, name = '', file] = /at (?:async )?(.*?) ?\(?(?:file:\/\/)?(\/[^)]+?):\d+:\d+\)?$/.exec(line) ?? [];
    return file?.startsWith(src) ? [`${name} (${relative(src, file)})`] : [];
  });
  const start = frames.findIndex((frame) => frame.includes('(http/'));
  return start === -1 ? frames : frames.slice(0, start);
}

await generate();
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
await generate();
const { result } = await session.post('Profiler.takePreciseCoverage');

/** Closures without a name, and initializers of members, belong to the function or class that they stand in. */
const hasName = (name: string) => name !== '' && !name.startsWith('<');

const files = result
  .filter(({ url }) => url.startsWith('file://') && fileURLToPath(url).startsWith(src))
  .map(({ url, functions }) => ({
    file: relative(src, fileURLToPath(url)),
    called: functions.filter(({ functionName, ranges: [range] }) => hasName(functionName) && (range?.count ?? 0) > 0),
  }))
  .filter(({ called }) => called.length > 0)
  .sort((one, other) => other.called.length - one.called.length);
const functions = files.reduce((sum, { called }) => sum + called.length, 0);

if (values.list) {
  for (const { file, called } of files) {
    process.stdout.write(`${file}: ${called.map(({ functionName }) => functionName).join(', ')}\n`);
  }
  process.stdout.write(`\nFrom start to generate:\n${nesting.toReversed().join('\n')}\n\n`);
}
process.stdout.write(
  `${functions} functions in ${files.length} files; ${nesting.length} calls from start to generate\n`,
);
await app.server.close();
await simulator.close();
