import { rmSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join, resolve } from 'node:path';

/**
 * Claims a directory for the life of this process. Rejects with the code `EBUSY` when a process that runs has claimed it.
 *
 * The claim is a socket that listens in the directory: it ends with its process however that ends, and unlike a process id
 * it means the same in every container of the machine. Where there can be no socket, as on some network file systems, the
 * directory is taken as it is.
 */
export async function claimDirectory(directory: string): Promise<void> {
  const path = join(resolve(directory), 'azure-image-gateway.sock');
  const isOurs = (await listen(path)) || (await replaceAbandoned(path));
  if (!isOurs) throw Object.assign(new Error('another process has claimed the directory'), { code: 'EBUSY' });
}

/** False: there is such a socket already. */
function listen(path: string): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code !== 'EADDRINUSE'));
    server.listen(path, () => {
      server.unref();
      process.once('exit', () => rmSync(path, { force: true }));
      done(true);
    });
  });
}

/** A process that was killed leaves its socket behind, on which nobody listens. */
async function replaceAbandoned(path: string): Promise<boolean> {
  if (!(await isAbandoned(path))) return false;
  await unlink(path).catch(() => {});
  return listen(path);
}

function isAbandoned(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path, () => {
      socket.destroy();
      done(false);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => done(code === 'ECONNREFUSED' || code === 'ENOENT'));
  });
}
