import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { compileCache } from './compile-cache.ts';

/** Programs under test are what users start: the built file, made of the sources as they are. */
export async function setup(): Promise<void> {
  Object.assign(process.env, compileCache);
  await promisify(execFile)(process.execPath, ['build.ts']);
}
