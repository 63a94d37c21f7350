import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { defaultKeysFile } from '../../src/config/environment.ts';
import { documents, proseOf } from './documents.ts';

/** The anchors of a document's headings, as GitHub derives them. */
function anchorsOf(prose: string): string[] {
  const names = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
  return names.map((name, at) => {
    const earlier = names.slice(0, at).filter((other) => other === name).length;
    return earlier === 0 ? name : `${name}-${earlier}`;
  });
}

function anchorOf(heading: string): string {
  const shown = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return shown.replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-');
}

function leadsSomewhere(link: string, from: string): boolean {
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? from : posix.join(posix.dirname(from), path);
  if (!existsSync(file)) return false;
  return anchor === undefined || anchorsOf(proseOf(file)).includes(anchor);
}

test('anchors are derived as GitHub does', () => {
  const prose = '# One\n\n## `a`, and [b](c.md)’s d\n\n## One\n';
  expect(anchorsOf(prose)).toEqual(['one', 'a-and-bs-d', 'one-1']);
});

test.each(documents)('%s links only to files and headings that exist', (file) => {
  const links = [...proseOf(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  const internal = links.filter((link) => !/^[a-z]+:/.test(link));
  expect(internal.filter((link) => !leadsSomewhere(link, file))).toEqual([]);
});

test.each(documents)('%s names only files that exist', (file) => {
  const quoted = [...proseOf(file).matchAll(/`((?:src|test|config|docs|\.ci)\/[\w./-]*)`/g)];
  const named = quoted.map(([, path = '']) => path).filter((path) => path !== defaultKeysFile);
  // Documents for contributors leave `src/` out.
  expect(named.filter((path) => !existsSync(path) && !existsSync(`src/${path}`))).toEqual([]);
});
