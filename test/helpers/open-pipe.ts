import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A pipe that takes 64 KiB, and that nobody reads unless the test does; it is closed when the test ends. */
export async function openPipe(): Promise<FileHandle> {
  const directory = await mkdtemp(join(tmpdir(), 'pipe-'));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  const pipe = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(async () => {
    await pipe.close();
    await rm(directory, { recursive: true });
  });
  return pipe;
}
