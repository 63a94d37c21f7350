import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

export const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** A program in a directory of its own, which `dispose` removes. */
export type Bundle = { readonly entry: string } & AsyncDisposable;

/** Bundles the stoppable gateway of a tree, as build.ts does with the gateway: it starts in half of the time. */
export async function bundleGateway(root = repository): Promise<Bundle> {
  const directory = await mkdtemp(join(tmpdir(), 'crash-program-'));
  await write(join(root, 'src/storage/sqlite/job-worker.ts'), join(directory, 'job-worker.js'));
  const entry = join(directory, 'gateway.js');
  await write(join(root, 'test/crash/matrix/stoppable-gateway.ts'), entry);
  return { entry, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

async function write(input: string, file: string): Promise<void> {
  const bundle = await rolldown({
    input,
    platform: 'node',
    resolve: { mainFields: ['module', 'main'] },
    external: [/^@azure\//, 'pino-pretty', /\/simulator\//],
    logLevel: 'warn',
  });
  await bundle.write({ file, format: 'esm', codeSplitting: false });
  await bundle.close();
}
