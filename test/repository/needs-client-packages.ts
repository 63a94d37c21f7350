import { type Block, readDocument } from './documents.ts';

const { dependencies } = JSON.parse(readDocument('test/clients/package.json')) as { dependencies: object };

/** Whether an example needs packages that only test/clients has: the Python SDK, or one of its own npm packages. */
export function needsClientPackages({ language, text }: Block): boolean {
  if (language === 'python') return true;
  const imported = [...text.matchAll(/ from '([^']+)'/g)].map(([, name = '']) => name);
  return imported.some((name) => name in dependencies);
}
