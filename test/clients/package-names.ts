import { readFileSync } from 'node:fs';
import packages from './package.json' with { type: 'json' };
import { type PackageSet, requirementsFile } from './python/package-sets.ts';

const { dependencies } = packages;

/** `openai 7.55.0` from `npm:openai@7.55.0`, or from a plain version. */
export function versioned(name: keyof typeof dependencies): string {
  const [, alias, version = dependencies[name]] = /^npm:(.+)@(.+)$/.exec(dependencies[name]) ?? [];
  return `${alias ?? `\`${name}\``} ${version}`;
}

/** `openai 3.22.1 (Python)`: a package of Python with its version. */
export function pythonVersioned(name: string, set: PackageSet): string {
  const requirements = readFileSync(requirementsFile(set), 'utf8');
  const [, version] = new RegExp(`^${name}==(.+)$`, 'm').exec(requirements) ?? [];
  return `${name} ${version} (Python)`;
}
