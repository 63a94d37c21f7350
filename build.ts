import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { rolldown } from 'rolldown';

// The gateway as one file, `dist/gateway.js`, which `dist/main.js` starts: Node reads that in half of the time that it takes to find and strip hundreds of
// modules, and needs 25 MB less for it.

const bundle = await rolldown({
  input: 'src/main.ts',
  platform: 'node',
  // Some packages also come in a form that finds its parts while it runs, and no bundler can follow that.
  resolve: { mainFields: ['module', 'main'] },
  // Loaded when somebody needs them: tokens of Entra ID, and a log for people.
  external: [/^@azure\//, 'pino-pretty'],
  logLevel: 'warn',
});
const { output } = await bundle.generate({
  format: 'esm',
  codeSplitting: false,
  comments: { legal: true, annotation: false, jsdoc: false },
});
await bundle.close();
await mkdir('dist', { recursive: true });
const { engines } = JSON.parse(await readFile('package.json', 'utf8')) as { engines: { node: string } };
const [major, minor] = engines.node.replace('>=', '').split('.').map(Number);
// A Node that is too old may fail to read the gateway at all, so its version is looked at by a file that every Node can read.
const entry = `var found = process.versions.node.split('.').map(Number);
if (found[0] > ${major} || (found[0] === ${major} && found[1] >= ${minor})) {
  import('./gateway.js');
} else {
  process.stderr.write('azure-image-gateway needs Node ${major}.${minor} or newer, and this is Node ' + process.versions.node + '.\\n');
  process.exitCode = 1;
}
`;
await write('dist/gateway.js', output[0].code);
await write('dist/main.js', entry);

/** Whole or not at all: a gateway that starts in this moment must not read half of a file. */
async function write(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, text);
  await rename(unfinished, path);
}
