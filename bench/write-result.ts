import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Writes a run as JSON: to `results/latest.json`, which git ignores, or to a file of its own to be committed. */
export async function writeResult(result: object, { isSaved }: { isSaved: boolean }): Promise<string> {
  const name = isSaved ? `saved/${new Date().toISOString().slice(0, 10)}.json` : 'results/latest.json';
  const path = fileURLToPath(new URL(name, import.meta.url));
  await mkdir(fileURLToPath(new URL('.', new URL(name, import.meta.url))), { recursive: true });
  await writeFile(path, `${JSON.stringify(result, null, 2)}\n`);
  return path;
}
