import { type Block, readDocument } from './documents.ts';

const { dependencies } = JSON.parse(readDocument('test/clients/package.json')) as { dependencies: object };

/** Whether an example needs what only the tests of the clients have: Python's package, or one of theirs. */
export function needsClientPackages({ language, text }: Block): boolean {
  if (language === 'python') return true;
  const imported = [...text.matchAll(/ from '([^']+)'/g)].map(([, name = '']) => name);
  return imported.some((name) => name in dependencies);
}
