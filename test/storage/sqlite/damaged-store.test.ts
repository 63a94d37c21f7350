import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { begin, claimOf, done, openJobStore, send, unavailable } from '../sql/open-job-store.ts';

async function databaseWith(sql: string): Promise<string> {
  const directory = await temporaryDirectory();
  const database = new DatabaseSync(join(directory, 'jobs.sqlite'));
  database.exec(sql);
  database.close();
  return directory;
}

test('a store of a newer version is left alone', async () => {
  const directory = await databaseWith('create table later (id text); pragma user_version = 99');
  const before = await readFile(join(directory, 'jobs.sqlite'));
  await expect(openJobStore({ directory })).rejects.toThrow(
    /^DATA_DIR was used by a newer version of the gateway \(its job store has schema 99, this version knows \d\): start that version, or choose another DATA_DIR$/,
  );
  expect(await readFile(join(directory, 'jobs.sqlite'))).toEqual(before);
});

test('a database of another program is left alone', async () => {
  const directory = await databaseWith('create table foreign_table (id text)');
  await expect(openJobStore({ directory })).rejects.toThrow(/^jobs\.sqlite in DATA_DIR is not a job store/);
});

test('a file that is no database is not replaced', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'jobs.sqlite');
  await writeFile(file, 'x'.repeat(5_000));
  await expect(openJobStore({ directory })).rejects.toThrow(/^jobs\.sqlite in DATA_DIR is damaged or is no database/);
  expect(await readFile(file, 'latin1')).toBe('x'.repeat(5_000));
});

test('a damaged database is not replaced', async () => {
  const directory = await temporaryDirectory();
  await (await openJobStore({ directory })).close();
  const file = join(directory, 'jobs.sqlite');
  const bytes = await readFile(file);
  bytes.fill(0xff, 100, 4_096);
  await writeFile(file, bytes);
  await expect(openJobStore({ directory })).rejects.toThrow(/^jobs\.sqlite in DATA_DIR is damaged/);
  expect(await readFile(file)).toEqual(bytes);
});

test('a place where there can be no file is reported', async () => {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'jobs.sqlite'));
  await expect(openJobStore({ directory })).rejects.toThrow(/^jobs\.sqlite in DATA_DIR cannot be used/);
});

test('its files are for this user only', async () => {
  const directory = await temporaryDirectory();
  await begin(await openJobStore({ directory }));
  const files = (await readdir(directory)).filter((name) => name.startsWith('jobs'));
  expect(files.sort()).toEqual(['jobs.sqlite', 'jobs.sqlite-shm', 'jobs.sqlite-wal']);
  for (const name of files) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
});

test('keys are not in the files', async () => {
  const directory = await temporaryDirectory();
  await begin(await openJobStore({ directory }), claimOf({ key: 'a-key-to-be-found' }));
  const files = (await readdir(directory)).filter((name) => name.startsWith('jobs'));
  for (const name of files) expect(await readFile(join(directory, name), 'latin1')).not.toContain('a-key-to-be-found');
});

test('jobs outlast a restart', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory });
  await first.finish(await send(first), done);
  await first.close();
  const second = await openJobStore({ directory });
  expect(await second.claim(claimOf())).toMatchObject({ kind: 'ended', end: done });
});

test('fingerprints of another version are not compared', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory });
  await first.finish(await send(first), done);
  await first.close();
  const second = await openJobStore({ directory, fingerprintVersion: 2 });
  expect(await second.claim(claimOf({ fingerprint: 'different' }))).toMatchObject({ kind: 'ended', end: done });
});

test('on a full disk no job begins, and what is recorded can be read', async () => {
  const directory = await temporaryDirectory();
  const store = await openJobStore({ directory, maxPages: 24 });
  const lease = await send(store);
  const fill = async () => {
    for (let at = 0; at < 1_000; at += 1) await store.claim(claimOf({ key: `key ${at}` }));
  };
  await expect(fill()).rejects.toMatchObject({
    kind: 'storage_full',
    outcome: 'not-processed',
    message: "The disk of the gateway's job store is full. Nothing was sent to the image service.",
    cause: { code: 'full' },
  });
  expect(await store.read(lease.job)).toBeUndefined();
  expect(await store.claim(claimOf())).toEqual({ kind: 'running', job: lease.job });
});

test('without its file a store refuses to work, makes no new one, and goes on when it is back', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'jobs.sqlite');
  const store = await openJobStore({ directory });
  const { job } = await send(store);
  const elsewhere = join(await temporaryDirectory(), 'jobs.sqlite');
  await rename(file, elsewhere);
  const claims = [1, 2, 3].map((at) => store.claim(claimOf({ key: `key ${at}` })));
  for (const claim of claims) await expect(claim).rejects.toMatchObject(unavailable);
  await expect(begin(store, claimOf({ key: 'later' }))).rejects.toMatchObject(unavailable);
  expect(await readdir(directory)).not.toContain('jobs.sqlite');
  await rename(elsewhere, file);
  expect(await store.claim(claimOf())).toEqual({ kind: 'running', job });
});

test('without its directory a store refuses to work', async () => {
  const directory = join(await temporaryDirectory(), 'data');
  const store = await openJobStore({ directory });
  const lease = await send(store);
  store.delivered(lease.job);
  await rm(directory, { recursive: true });
  await expect(store.finish(lease, done)).rejects.toMatchObject(unavailable);
  await expect(store.takeOver()).rejects.toMatchObject(unavailable);
  await expect(store.figures()).rejects.toMatchObject(unavailable);
});

test('a job that was lost with the thread that claimed it is taken over', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'jobs.sqlite');
  const store = await openJobStore({ directory });
  const { job } = await send(store);
  const database = new DatabaseSync(file);
  // What a claim has left behind whose result has got lost.
  database.exec("create table copy as select * from jobs; update copy set id = 'lost', claim = 'k:lost'");
  database.exec('insert into jobs select * from copy; drop table copy');
  database.close();
  expect(await store.takeOver()).toEqual([]);
  await rename(file, `${file}.away`);
  await expect(store.figures()).rejects.toMatchObject(unavailable);
  await rename(`${file}.away`, file);
  expect(await store.takeOver()).toMatchObject([{ lease: { job: 'lost', epoch: 2 } }]);
  expect(await store.read(job)).toBeUndefined();
});

test('what has expired is deleted with a renewal', async () => {
  const store = await openJobStore({ keepMs: 0, lease: { validMs: 8_000, renewEveryMs: 20 } });
  const lease = await send(store);
  await store.finish(lease, done);
  store.delivered(lease.job);
  await vi.waitFor(async () => expect((await store.figures()).rows).toEqual({}), 60_000);
});
