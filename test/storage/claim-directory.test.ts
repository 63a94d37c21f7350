import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { claimDirectory } from '../../src/storage/claim-directory.ts';
import { storeDirectory } from './store-directory.ts';

test('a directory is claimed once', async () => {
  const directory = await storeDirectory();
  await claimDirectory(directory);
  await expect(claimDirectory(directory)).rejects.toMatchObject({ code: 'EBUSY' });
});

test('what a process that was killed has left behind is no claim', async () => {
  const directory = await storeDirectory();
  // Nobody listens on it either.
  await writeFile(join(directory, 'azure-image-gateway.sock'), '');
  await claimDirectory(directory);
  await expect(claimDirectory(directory)).rejects.toMatchObject({ code: 'EBUSY' });
});

test('where there can be no socket, because its path would be too long, the directory is taken as it is', async () => {
  const directory = join(await storeDirectory(), 'x'.repeat(120));
  await expect(claimDirectory(directory)).resolves.toBeUndefined();
});
