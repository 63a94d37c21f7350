import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/** The documents of the project, by paths from its root. */
export const documents: readonly string[] = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'bench/README.md',
  ...readdirSync(new URL('docs', root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export function readDocument(path: string): string {
  return readFileSync(new URL(path, root), 'utf8');
}

/** A fenced block of a document. */
export type Block = {
  /** Where it begins, such as `README.md:17`. */
  readonly place: string;
  readonly language: string;
  readonly text: string;
};

const fence = /^ *```(.*)\n([\s\S]*?)^ *```$/gm;

export function blocksOf(path: string): readonly Block[] {
  const text = readDocument(path);
  return [...text.matchAll(fence)].map(({ 1: language = '', 2: content = '', index }) => {
    const line = text.slice(0, index).split('\n').length;
    return { place: `${path}:${line}`, language, text: content };
  });
}

/** A document without its blocks. */
export function proseOf(path: string): string {
  return readDocument(path).replaceAll(fence, '');
}
