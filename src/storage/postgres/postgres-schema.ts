import type { ClientBase } from 'pg';
import { migrations } from '../sql/migrations.ts';

/** The oldest version of the tables' schema whose gateways can use those of this one. */
const compatibleWith = 2;

/** Of all that use locks of this kind in the database, only gateways know this number. */
const lockId = 7_308_613_517;

/** The driver has a limit of its own. */
const patient = { query_timeout: 60 * 60_000 };

type Version = { readonly version: number; readonly compatible: number };

/**
 * Brings the tables up to date, under a lock: of several gateways that start, one does it. Rejects, and changes nothing, when a
 * newer version has changed them so that this one cannot use them.
 * @param schema holds the tables, and is created if need be; `undefined`: the first one of the user's search path
 */
export async function migratePostgres(client: ClientBase, schema: string | undefined): Promise<void> {
  await client.query('begin');
  try {
    // Large tables, and other gateways that change them, take longer than the statements of every day may.
    await client.query('set local statement_timeout = 0');
    await client.query({ ...patient, text: 'select pg_advisory_xact_lock($1)', values: [lockId] });
    if (schema !== undefined) await client.query(`create schema if not exists "${schema}"`);
    await client.query(
      'create table if not exists gateway_schema (version integer not null, compatible integer not null)',
    );
    const { rows } = await client.query<Version>('select version, compatible from gateway_schema');
    const { version, compatible } = rows[0] ?? { version: 0, compatible: 0 };
    if (compatible > migrations.length) throw new Error(tooNew(version));
    if (version < migrations.length) {
      for (const migration of migrations.slice(version)) await client.query({ ...patient, text: migration });
      await client.query('delete from gateway_schema');
      await client.query('insert into gateway_schema values ($1, $2)', [migrations.length, compatibleWith]);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

function tooNew(version: number): string {
  return `the database of JOBS_URL was used by a newer version of the gateway (its tables have schema ${version}, this version knows ${migrations.length}): start that version, or choose another database or schema`;
}
