import { readFileSync } from 'node:fs';

const manifest = new URL('../../package.json', import.meta.url);

/** What `npm start` gives Node beside the program. */
export const startOptions: readonly string[] = readOptions();

function readOptions(): string[] {
  const { scripts } = JSON.parse(readFileSync(manifest, 'utf8')) as { scripts: Record<string, string> };
  const [, options] = /^node (.*)dist\/main\.js$/.exec(scripts.start ?? '') ?? [];
  if (options === undefined) throw new Error('`npm start` is not what the benchmark knows: node OPTIONS dist/main.js');
  return options.split(' ').filter(Boolean);
}
