import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Bundle, bundleGateway, repository } from './matrix/bundle-gateway.ts';
import { freezeAt, freezeModes } from './matrix/freeze.ts';
import { useBundle } from './matrix/use-bundle.ts';

/** What keeps a former owner from writing a job, and what stands in its place here. A row that is gone cannot be written either. */
const fences = [
  ["id = ? and epoch = ? and state = 'running' and owner in (select id from owners)", 'id = ? and ? > 0'],
  ["(attempts = '[]' and repeated = 0)", '1 = 0'],
] as const;

/** The control of the freezes: a gateway whose writes are not fenced. */
async function bundleUnfenced(): Promise<Bundle> {
  const root = await mkdtemp(join(tmpdir(), 'crash-unfenced-'));
  try {
    for (const path of ['package.json', 'src', 'test/crash/matrix']) {
      await cp(join(repository, path), join(root, path), { recursive: true });
    }
    await symlink(join(repository, 'node_modules'), join(root, 'node_modules'));
    const file = join(root, 'src/storage/sql/job-rows.ts');
    let text = await readFile(file, 'utf8');
    for (const [fence, without] of fences) {
      const parts = text.split(fence);
      expect(parts, `\`${fence}\` must stand in job-rows.ts once`).toHaveLength(2);
      text = parts.join(without);
    }
    await writeFile(file, text);
    return await bundleGateway(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

const { startStage } = useBundle(bundleUnfenced);

test.concurrent.each(freezeModes)(
  '%s: without the fence, a gateway that is stopped before the dispatch buys again',
  async (mode) => {
    await using stage = await startStage();
    expect(await freezeAt('before the dispatch', mode, stage)).toEqual({ meanwhile: 200, atLast: 200, billed: 2 });
  },
);
