import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stores } from '../app.ts';
import type { Environment } from '../config/environment.ts';
import type { ModelsConfig } from '../config/models-config.ts';
import type { PostgresSettings } from '../domain/postgres-settings.ts';
import { fingerprintVersion } from '../generations/fingerprint.ts';
import { retryRejoinMs } from '../generations/planned-request.ts';
import { createDiskImageStore, type DiskImageStore, type DiskImageStoreOptions } from '../storage/disk-image-store.ts';
import { createKeptInputs } from '../storage/kept-input-directory.ts';
import { createPostgresJobStore } from '../storage/postgres/postgres-job-store.ts';
import { SqlCoolDowns } from '../storage/sql/sql-cool-downs.ts';
import type { SqlJobStore } from '../storage/sql/sql-job-store.ts';
import { SqlLedger } from '../storage/sql/sql-ledger.ts';
import { type QuotaTimes, SqlQuotaPools } from '../storage/sql/sql-quota-pools.ts';
import { SqlSharedLimits } from '../storage/sql/sql-shared-limits.ts';
import { createSqliteJobStore, type SqliteJobStoreOptions } from '../storage/sqlite/sqlite-job-store.ts';
import { createTemporaryImageStore } from '../storage/temporary-image-store.ts';
import { loadEntra } from '../upstream/entra.ts';
import { TokenSource } from '../upstream/token-source.ts';
import { createObjectStores, type ObjectStores, openBucket } from './open-object-stores.ts';

type Limits = Pick<ModelsConfig, 'limits' | 'storeLimits'>;

/** A response may begin to be read that long after its image was stored. */
const minLifetimeMs = 60_000;

/** Replaced in tests. */
type Seams = {
  readonly temporary?: string;
  readonly jobs?: Pick<SqliteJobStoreOptions, 'now' | 'lease' | 'maxPages'> & { readonly quotas?: Partial<QuotaTimes> };
  readonly images?: Pick<DiskImageStoreOptions, 'freeBytes' | 'openFiles'>;
};

type Place = Pick<Environment, 'dataDir'> & Partial<Pick<Environment, 'jobs' | 'objectStorage'>>;

/**
 * The stores in DATA_DIR; without it, jobs in memory, and images in a directory that goes with the process. Jobs are in a database
 * where JOBS_URL names one, and images in the object store that IMAGES_URL names, and in DATA_DIR only until they are uploaded.
 */
export async function openStores(
  { dataDir, jobs: database, objectStorage }: Place,
  limits: Limits,
  { temporary = tmpdir(), jobs: jobSeams, images: imageSeams }: Seams = {},
): Promise<Stores> {
  const areDurable = dataDir !== undefined;
  // First: nothing is open yet that would have to be closed.
  const bucket = await openBucket({ objectStorage });
  const options = { fingerprintVersion, ...jobLimits(limits, areDurable), ...jobSeams };
  const opening = database
    ? databaseToken(database).then((token) => createPostgresJobStore({ ...options, database, token }))
    : createSqliteJobStore({ ...options, directory: dataDir });
  const jobs = await opening.catch((error) => {
    bucket?.bucket.close();
    throw error;
  });
  // Whoever comes later writes later, too.
  const checkedAt = Date.now();
  const shared = { ...imageLimits(limits, areDurable), now: () => jobs.now(), ...imageSeams };
  try {
    const soleAt = (await jobs.isSole()) ? checkedAt : undefined;
    const local = areDurable
      ? await createDiskImageStore({ ...shared, directory: dataDir, soleAt })
      : await createTemporaryImageStore(temporary, shared);
    const objects = bucket && createObjectStores(bucket, { ...shared, local });
    const images: Resizable = objects?.images ?? local;
    const keptInputs = objects?.keptInputs ?? createKeptInputs(join(dataDir ?? temporary, 'inputs'));
    if (areDurable && soleAt !== undefined) await keptInputs.removeUnused(await jobs.records.inputsInUse());
    const opened = { jobs, images, areDurable };
    // One machine counts in memory.
    const sharedLimits = database && new SqlSharedLimits(jobs.runner, jobs.owner);
    const ledger = new SqlLedger(jobs.runner, jobs.owner);
    const linked = { uploads: objects?.images.uploads, linkTo: objects?.linkTo };
    const known = {
      quotas: new SqlQuotaPools(jobs, jobSeams?.quotas),
      // Nobody else looks into the memory of a process.
      coolDowns: areDurable || database ? new SqlCoolDowns(jobs.runner, jobs.owner) : undefined,
    };
    return {
      ...opened,
      ...linked,
      ...known,
      ledger,
      keptInputs,
      sharedLimits,
      resize: (models) => resize(opened, models),
    };
  } catch (error) {
    bucket?.bucket.close();
    await jobs.close();
    throw error;
  }
}

/** https://learn.microsoft.com/azure/postgresql/security/security-entra-configure */
const databaseScope = 'https://ossrdbms-aad.database.windows.net/.default';

const tokenMs = 10_000;

/** How a database gets tokens of Microsoft Entra ID as its password. */
async function databaseToken({ password }: PostgresSettings): Promise<(() => Promise<string>) | undefined> {
  if (password !== 'entra') return undefined;
  const tokens = new TokenSource((await loadEntra())(databaseScope));
  return async () => (await tokens.token(AbortSignal.timeout(tokenMs))).expose();
}

type Resizable = DiskImageStore | ObjectStores['images'];

type Opened = { readonly jobs: SqlJobStore; readonly images: Resizable; readonly areDurable: boolean };

function resize({ jobs, images, areDurable }: Opened, limits: Limits): void {
  Object.assign(jobs, jobLimits(limits, areDurable));
  images.resize(imageLimits(limits, areDurable));
}

/** Jobs in memory cannot be found by a later process: they last as long as a client may have to retry. */
function jobLimits({ limits: { lingerMs }, storeLimits: { keepHours } }: Limits, areDurable: boolean) {
  if (!areDurable) return { keepMs: lingerMs, rejoinMs: lingerMs, orphanMs: lingerMs };
  return { keepMs: keepHours * 3_600_000, rejoinMs: retryRejoinMs, orphanMs: Number.POSITIVE_INFINITY };
}

/** Images last as long as the jobs that they belong to. */
function imageLimits(limits: Limits, areDurable: boolean) {
  const { keepMs } = jobLimits(limits, areDurable);
  return { lifetimeMs: Math.max(keepMs, minLifetimeMs), maxBytes: limits.storeLimits.storeBytes };
}
