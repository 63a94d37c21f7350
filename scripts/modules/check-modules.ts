import { basename, dirname, join, normalize } from 'node:path';
import { maxLines, moduleImports, packageHomes } from './rules.ts';

/** Path from the repository's root → source text. */
export type Sources = ReadonlyMap<string, string>;

/** What breaks a rule of `rules.ts`, one line each: imports, lengths, and names that two files share. */
export function problemsIn(sources: Sources): readonly string[] {
  return [...[...sources].flatMap(([file, source]) => problemsOf(file, source)), ...sharedNames([...sources.keys()])];
}

function problemsOf(file: string, source: string): string[] {
  const module = moduleOf(file);
  if (!Object.hasOwn(moduleImports, module)) return [`${file}: '${module}' is not in scripts/modules/rules.ts`];
  const lines = source.split('\n').length - 1;
  const imports = importsOf(source).filter((path) => !isAllowed(path, file, module));
  return [
    ...imports.map((path) => `${file}: ${module} must not import '${path}'`),
    ...(lines > maxLines ? [`${file}: ${lines} lines, and ${maxLines} are the limit`] : []),
  ];
}

/** The module of a file: its folder in `src/`, the file itself directly in there, or the folder at the root. */
export function moduleOf(file: string): string {
  const [root = '', first = ''] = file.split('/');
  return root === 'src' ? first.replace(/\.ts$/, '') : root;
}

/** The paths of all imports and re-exports, dynamic ones too. */
export function importsOf(source: string): string[] {
  return [...source.matchAll(/(?:\bfrom|\bimport\(|^import)\s*'([^']+)'/gm)].map(([, path = '']) => path);
}

function isAllowed(path: string, file: string, module: string): boolean {
  if (path.startsWith('node:')) return true;
  if (!path.startsWith('.')) return packageHomes[packageOf(path)]?.includes(module) ?? true;
  const target = normalize(join(dirname(file), path));
  if (!/^(src|simulator)\//.test(target)) return target === 'package.json';
  const other = moduleOf(target);
  return other === module || moduleImports[module]?.includes(other) === true;
}

function packageOf(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Two files of one name cannot be told apart in a stack trace or an editor's tabs. Programs of their own count apart. */
function sharedNames(files: readonly string[]): string[] {
  const byName = Map.groupBy(files, (file) => `${file.split('/')[0]} ${basename(file)}`);
  const shared = [...byName.values()].filter(
    ([first = '', ...others]) => others.length > 0 && basename(first) !== 'index.ts',
  );
  return shared.map((twins) => `${twins.join(' and ')} have the same name`);
}
