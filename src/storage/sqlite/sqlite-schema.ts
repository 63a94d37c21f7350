import type { DatabaseSync } from 'node:sqlite';
import { migrations } from '../sql/migrations.ts';

/** Brings the tables up to date. Throws, and changes nothing, when the database is not one of this version or an earlier one. */
export function migrate(database: DatabaseSync): void {
  checkVersion(database);
  database.exec('begin immediate');
  try {
    // Another process may have been faster.
    const done = checkVersion(database);
    for (const migration of migrations.slice(done)) database.exec(migration);
    database.exec(`pragma user_version = ${migrations.length}`);
    database.exec('commit');
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    throw error;
  }
}

/** The version of the database, once it is clear that this program can use it. */
export function checkVersion(database: DatabaseSync): number {
  // In this order: another process may create the tables in between, which come together with their version.
  const tables = Number(database.prepare('select count(*) as tables from sqlite_master').get()?.tables);
  const version = Number(database.prepare('pragma user_version').get()?.user_version);
  if (version > migrations.length) {
    throw new Error(
      `DATA_DIR was used by a newer version of the gateway (its job store has schema ${version}, this version knows ${migrations.length}): start that version, or choose another DATA_DIR`,
    );
  }
  if (version === 0 && tables > 0)
    throw new Error('jobs.sqlite in DATA_DIR is not a job store: choose another DATA_DIR');
  return version;
}
