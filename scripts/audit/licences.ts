import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Licences that ask for nothing but their own text and a notice; and the LGPL, for optional libraries that are installed as they
 * are and can be replaced: libvips of sharp, and libheif. Any other one is for people to decide.
 */
export const allowedLicences = [
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'],
  ...['LGPL-3.0', 'LGPL-3.0-or-later'],
];

/** `licence` is an SPDX expression as the package says it; `undefined`: it says nothing. */
export type LicencedPackage = {
  readonly name: string;
  readonly version: string;
  readonly licence: string | undefined;
};

type Locked = { readonly dev?: boolean; readonly version?: string; readonly license?: string };
type Manifest = { readonly version?: string; readonly license?: unknown; readonly licenses?: unknown };

/**
 * The packages of production as the lock file names them, with the licences that stand in `node_modules`; what is not
 * installed, such as builds for other platforms, is taken from the lock file.
 */
export function productionPackages(directory: string): LicencedPackage[] {
  const lock = JSON.parse(readFileSync(join(directory, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, locked]) => {
      const file = join(directory, path, 'package.json');
      const manifest: Manifest = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : locked;
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      return { name, version: manifest.version ?? '', licence: licenceOf(manifest) };
    });
}

/** Old packages say it as `{ type }`, or as a list of these. */
function licenceOf({ license, licenses }: Manifest): string | undefined {
  const list = [license ?? licenses ?? []].flat() as (string | { readonly type?: string } | null)[];
  const said = list.map((one) => (typeof one === 'string' ? one : one?.type));
  return said.length > 0 && said.every(Boolean) ? said.join(' OR ') : undefined;
}

/** Whether an SPDX expression leaves a choice of allowed licences. What mixes AND and OR is for people to read. */
export function isAllowed(licence: string | undefined): boolean {
  if (licence === undefined) return false;
  const plain = licence.replace(/^\((.*)\)$/, '$1');
  if (/ AND /.test(plain)) return plain.split(' AND ').every((one) => allowedLicences.includes(one));
  return plain.split(' OR ').some((one) => allowedLicences.includes(one));
}
