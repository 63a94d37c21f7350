import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../../scripts/bundle.ts';

export const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** A program in a directory of its own, which `dispose` removes. */
export type Bundle = { readonly entry: string } & AsyncDisposable;

/** Bundles the stoppable gateway of a tree, as build.ts does with the gateway: it starts in half of the time. */
export async function bundleGateway(root = repository): Promise<Bundle> {
  const directory = await mkdtemp(join(tmpdir(), 'crash-program-'));
  await writeFile(join(directory, 'job-worker.js'), await bundle(join(root, 'src/storage/sqlite/job-worker.ts')));
  // Packages that are loaded on demand are not in the bundle.
  await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'));
  const entry = join(directory, 'gateway.js');
  await writeFile(entry, await bundle(join(root, 'test/crash/matrix/stoppable-gateway.ts')));
  return { entry, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}
