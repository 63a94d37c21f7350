import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { symlink, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

const maxSocketPath = 103;

/** Shows that a process lives: a socket that it listens on. */
export interface DirectorySocket {
  /** Removes its file, too. */
  close(): Promise<void>;
}

/**
 * Listens on a socket with this path, which must not exist. Resolves with `undefined` where there can be no sockets, as on some
 * network file systems.
 *
 * Nobody answers there any more once the process has ended, however it ends, and unlike a process id the path means the same in
 * every container of the machine.
 */
export async function listenInDirectory(path: string): Promise<DirectorySocket | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    await withShortPath(path, (short) => listen(server, short));
  } catch {
    return undefined;
  }
  // The server would remove the file by the path that it was given, which may have been the short one.
  const remove = () => rmSync(path, { force: true });
  process.once('exit', remove);
  return {
    async close() {
      process.off('exit', remove);
      await new Promise((done) => server.close(done));
      remove();
    },
  };
}

/** Whether a process listens there; `undefined` when that cannot be told. A stopped process still listens. */
export async function isListening(path: string): Promise<boolean | undefined> {
  try {
    await withShortPath(path, dial);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ECONNREFUSED' || code === 'ENOENT' ? false : undefined;
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(path, () => {
      server.unref();
      done();
    });
  });
}

function dial(path: string): Promise<void> {
  return new Promise((done, fail) => {
    const socket = connect(path, () => {
      socket.destroy();
      done();
    });
    socket.once('error', fail);
  });
}

/** The path of a socket is limited to 103 bytes on macOS and 107 on Linux; a link makes a longer one short enough. */
async function withShortPath(path: string, use: (path: string) => Promise<void>): Promise<void> {
  const absolute = resolve(path);
  if (Buffer.byteLength(absolute) <= maxSocketPath) return await use(absolute);
  const link = join(tmpdir(), `aig-${randomBytes(8).toString('hex')}`);
  await symlink(dirname(absolute), link).catch((cause) => {
    // Its code would say something about the link, not about the socket.
    throw new Error('no link to the directory', { cause });
  });
  try {
    await use(join(link, basename(absolute)));
  } finally {
    await unlink(link).catch(() => {});
  }
}
