import { budgetLockTable, budgetTables, estimatedCostColumn } from './budget-tables.ts';
import { coolDownTables } from './cool-down-rows.ts';
import { limitTables } from './limit-rows.ts';
import { quotaTables } from './quota-rows.ts';

/**
 * What brings a database from each version to the next one. Each one leaves what earlier versions of the gateway write and read
 * as it is: of those that share a database, some may be one version behind.
 */
export const migrations: readonly string[] = [
  `
  create table owners (id text primary key, lease bigint not null, listens integer not null);
  create table clock (id integer primary key, boot text not null, monotonic bigint not null, time bigint not null);
  create table jobs (
    id text primary key,
    consumer text not null,
    claim text not null,
    keyed integer not null,
    operation text not null,
    model text not null,
    images integer not null,
    fingerprint text not null,
    fingerprint_version integer not null,
    state text not null,
    owner text not null,
    epoch integer not null,
    attempts text not null,
    response text,
    repeated integer not null,
    delivered integer not null default 0,
    orphaned_at bigint,
    taken_by text not null default '',
    created_at bigint not null,
    ended_at bigint,
    expires_at bigint,
    unique (consumer, claim)
  );
  create index jobs_by_state on jobs (state, owner);
  create index jobs_without_key on jobs (consumer, fingerprint) where keyed = 0;
  create index jobs_expiring on jobs (expires_at) where expires_at is not null;
  `,
  // Jobs in the background, and jobs that are found by their ids.
  `
  alter table jobs add column retrievable integer not null default 0;
  alter table jobs add column background integer not null default 0;
  alter table jobs add column request text;
  alter table jobs add column inputs text;
  alter table jobs add column view text;
  alter table jobs add column cancelling integer not null default 0;
  update jobs set retrievable = 1 where keyed = 1;
  create index jobs_retrievable on jobs (consumer, created_at, id) where retrievable = 1;
  create index jobs_open on jobs (consumer) where background = 1 and state = 'running';
  `,
  // What several gateways count together.
  limitTables,
  // What consumers have spent, and may.
  budgetTables,
  // What they know together of the limits of Azure.
  `${quotaTables}${coolDownTables}`,
  // What the first row of a budget waits for.
  budgetLockTable,
  // What of it was counted with list prices.
  estimatedCostColumn,
];
