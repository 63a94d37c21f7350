import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { access, constants, mkdir, open, symlink, unlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const socketName = 'azure-image-gateway.sock';
const maxSocketPath = 103;
const inUse = 'EADDRINUSE';

/**
 * Creates what is missing of a directory, for this user only, and checks that it can be written to. Rejects with the
 * disk's error.
 */
export async function prepareDirectory(path: string): Promise<void> {
  const directory = resolve(path);
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  await access(directory, constants.W_OK | constants.X_OK);
  if (first === undefined) return;
  // A new directory is safe from power loss when the one that lists it is synced.
  for (let at = dirname(directory); at.length >= dirname(first).length; at = dirname(at)) await syncDirectory(at);
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Claims a directory for the life of this process. Rejects with the code `EBUSY` when another running process has claimed it.
 * Resolves with the system's code where no claim is possible, as on some network file systems.
 *
 * The claim is a socket that listens in the directory: it ends with its process however that ends, and unlike a process id
 * it means the same in every container of the machine.
 */
export async function claimDirectory(directory: string): Promise<string | undefined> {
  const absolute = resolve(directory);
  const path = join(absolute, socketName);
  const isLong = Buffer.byteLength(path) > maxSocketPath;
  const failure = isLong ? await claimThroughLink(absolute) : await claim(path);
  if (failure === undefined) process.once('exit', () => rmSync(path, { force: true }));
  return failure;
}

/** The path of a socket is limited to 103 bytes on macOS and 107 on Linux; a link makes a longer one short enough. */
async function claimThroughLink(directory: string): Promise<string | undefined> {
  const link = join(tmpdir(), `aig-${randomBytes(8).toString('hex')}`);
  try {
    await symlink(directory, link);
    return await claim(join(link, socketName));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || code === 'EBUSY') throw error;
    return code;
  } finally {
    await unlink(link).catch(() => {});
  }
}

/** Resolves with the system's code where no socket can be created. */
async function claim(path: string): Promise<string | undefined> {
  let code = await listen(path);
  // A process that was killed leaves its socket file behind, and nothing listens on it.
  if (code === inUse && (await isAbandoned(path))) {
    await unlink(path).catch(() => {});
    code = await listen(path);
  }
  if (code === inUse) throw Object.assign(new Error('another process has claimed the directory'), { code: 'EBUSY' });
  return code;
}

/** Resolves with the system's code when it fails. */
function listen(path: string): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => done(code));
    server.listen(path, () => {
      server.unref();
      done(undefined);
    });
  });
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
