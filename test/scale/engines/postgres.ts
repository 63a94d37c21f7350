import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';

const run = promisify(execFile);

/** A PostgreSQL server of its own, on loopback, whose data end with it. */
export type Postgres = {
  /** The URL of its database, with the password, if its user has one. */
  readonly url: string;
  readonly port: number;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again after {@link Postgres.kill}. */
  restart(): Promise<void>;
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
} & AsyncDisposable;

/** Where Debian keeps the programs of the newest version that is installed. */
async function programs(): Promise<string> {
  const root = '/usr/lib/postgresql';
  const versions = await readdir(root).catch(() => [] as string[]);
  const newest = versions.toSorted((one, other) => Number(other) - Number(one))[0];
  if (newest === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  return join(root, newest, 'bin');
}

/** PostgreSQL refuses to run as root. */
async function unprivileged(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)),
  );
  return { uid: uid as number, gid: gid as number };
}

export type PostgresOptions = {
  /** Lines of postgresql.conf, such as `max_connections=20`. */
  readonly settings?: readonly string[];
  /** Of its user, who needs none by default. */
  readonly password?: string;
};

export async function startPostgres({ settings = [], password }: PostgresOptions = {}): Promise<Postgres> {
  const [bin, user, port] = await Promise.all([programs(), unprivileged(), freePort()]);
  const root = await mkdtemp(join(tmpdir(), 'gateway-postgres-'));
  if (user !== undefined) await chown(root, user.uid, user.gid);
  const data = join(root, 'data');
  const options = { ...user, cwd: root, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  const passwordFile = join(root, 'password');
  if (password !== undefined) await writeFile(passwordFile, password);
  const access = password === undefined ? ['-A', 'trust'] : ['-A', 'scram-sha-256', '--pwfile', passwordFile];
  await run(join(bin, 'initdb'), ['-D', data, '-U', 'gateway', ...access, '-E', 'UTF8', '--no-sync'], options);
  const listening = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${root}`];
  const flags = [...listening, ...settings].flatMap((setting) => ['-c', setting]);
  let child: ChildProcess;
  const start = async () => {
    child = spawn(join(bin, 'postgres'), ['-D', data, ...flags], { ...options, stdio: 'ignore' });
    await untilReady(child, url);
  };
  const end = async (signal: 'SIGQUIT' | 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  const url = `postgres://gateway${password === undefined ? '' : `:${password}`}@127.0.0.1:${port}/postgres`;
  await start();
  return {
    url,
    port,
    kill: () => end('SIGKILL'),
    restart: start,
    query: (sql) => query(url, sql),
    async [Symbol.asyncDispose]() {
      // Its data are of no use: an immediate shutdown.
      await end('SIGQUIT');
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL has ended with code ${child.exitCode}`);
    try {
      await query(url, 'select 1');
      return;
    } catch (error) {
      // It is there, and the password of its user was changed.
      if ((error as { readonly code?: string }).code === '28P01') return;
      await wait(50);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
