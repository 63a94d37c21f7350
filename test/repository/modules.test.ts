import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { problemsIn } from '../../scripts/modules/check-modules.ts';
import { maxLines, moduleImports, packageHomes } from '../../scripts/modules/rules.ts';

const modules = Object.keys(moduleImports);

function fileIn(module: string): string {
  if (module === 'simulator') return 'simulator/importer.ts';
  return module === 'app' || module === 'main' ? `src/${module}.ts` : `src/${module}/importer.ts`;
}

function importing(module: string, path: string): readonly string[] {
  return problemsIn(new Map([[fileIn(module), `import { thing } from '${path}';\n`]]));
}

function pathTo(other: string, from: string): string {
  const up = fileIn(from).startsWith('src/') ? '../'.repeat(fileIn(from).split('/').length - 1) : '../';
  const file = fileIn(other).replace('importer', 'thing');
  return up === '' ? `./${file}` : `${up}${file}`;
}

test.each(modules)('%s may import exactly the modules of its rule', (module) => {
  const others = modules.filter((other) => other !== module);
  const allowed = others.filter((other) => importing(module, pathTo(other, module)).length === 0);
  expect(allowed.sort()).toEqual([...(moduleImports[module] ?? [])].sort());
});

test.each(modules)('%s may import exactly the packages that live there', (module) => {
  const packages = Object.keys(packageHomes);
  const allowed = packages.filter((name) => importing(module, `${name}/part`).length === 0);
  expect(allowed).toEqual(packages.filter((name) => packageHomes[name]?.includes(module)));
});

test('a dynamic import and a re-export count as imports', () => {
  const sources = new Map([['src/domain/thing.ts', "export * from '../http/a.ts';\nawait import('../http/b.ts');\n"]]);
  expect(problemsIn(sources)).toHaveLength(2);
});

test('a folder without a rule, a file that is too long, and a name that two files share are refused', () => {
  const long = 'const a = 1;\n'.repeat(maxLines + 1);
  const sources = new Map([
    ['src/utils/thing.ts', ''],
    ['src/domain/long.ts', long],
    ['src/domain/index.ts', ''],
    ['src/codec/index.ts', ''],
    ['src/codec/twin.ts', ''],
    ['src/upstream/twin.ts', ''],
  ]);
  expect(problemsIn(sources)).toEqual([
    "src/utils/thing.ts: 'utils' is not in scripts/modules/rules.ts",
    `src/domain/long.ts: ${maxLines + 1} lines, and ${maxLines} are the limit`,
    'src/codec/twin.ts and src/upstream/twin.ts have the same name',
  ]);
});

test('a test run has the Node version that the project needs, whatever the machine has', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  expect(major * 1000 + minor).toBeGreaterThanOrEqual(24_015);
  expect(execFileSync(process.execPath, ['--version'], { encoding: 'utf8' })).toMatch(/^v24\./);
});
