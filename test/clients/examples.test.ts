import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, test } from 'vitest';
import { startDemo } from '../end-to-end/start-demo.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { blocksOf, documents } from '../repository/documents.ts';
import { needsClientPackages } from '../repository/needs-client-packages.ts';
import { expectImages, expectProgram } from '../repository/run-program.ts';
import { packagesDirectory } from './python/package-sets.ts';

const examples = documents.flatMap(blocksOf).filter(needsClientPackages);
const packages = fileURLToPath(new URL('node_modules', import.meta.url));

describe('the program saves whole images', () => {
  test.each(examples.filter(({ language }) => language === 'js'))('at $place', async ({ text: program }) => {
    const demo = await startDemo();
    await expectProgram(demo.here(program), { packages });
  });

  test.for(examples.filter(({ language }) => language === 'python'))('at $place', async (example, context) => {
    const missing = inject('pythonMissing').openai;
    context.skip(missing !== '', `python: not run (${missing})`);
    const demo = await startDemo();
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'example.py'), demo.here(example.text));
    const env = { PATH: process.env.PATH, PYTHONPATH: packagesDirectory('openai') };
    const child = spawn('python3', ['example.py'], { cwd: directory, env, stdio: ['ignore', 'ignore', 'pipe'] });
    const [said, [exitCode]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect(exitCode, said).toBe(0);
    await expectImages(directory, example.text);
  });
});
