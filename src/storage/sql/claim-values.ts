import { createHash, randomBytes } from 'node:crypto';
import type { JobClaim } from '../../domain/job-store.ts';

/**
 * What is written about a new job: the process, id, consumer, claim, operation, model, images, fingerprint with version, time,
 * and how it is kept.
 */
export type JobValues = readonly [
  owner: string,
  id: string,
  consumer: string,
  claim: string,
  operation: string,
  model: string,
  images: number,
  fingerprint: string,
  fingerprintVersion: number,
  createdAt: number,
  keyed: 0 | 1,
  retrievable: 0 | 1,
  background: 0 | 1,
  request: string | null,
  inputs: string | null,
  view: string | null,
];

/** The columns of {@link JobValues}, and a place for each. */
export const jobColumns = `owner, id, consumer, claim, operation, model, images, fingerprint, fingerprint_version, created_at,
  keyed, retrievable, background, request, inputs, view`;
export const jobPlaces = '?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?';

/** @param owner the process that claims the job */
export function valuesOf(claim: JobClaim, owner: string, fingerprintVersion: number): JobValues {
  const { consumer, operation, model, count, fingerprint, key, isRetrievable, background, view } = claim;
  const id = randomBytes(18).toString('base64url');
  const name = key === undefined ? `r:${id}` : claimOfKey(operation, key);
  return [
    ...([owner, id, consumer, name, operation, model, count, fingerprint, fingerprintVersion, Date.now()] as const),
    ...([key === undefined ? 0 : 1, isRetrievable ? 1 : 0, background === undefined ? 0 : 1] as const),
    ...([background?.request ?? null, background?.inputs ?? null, view ?? null] as const),
  ];
}

/** The claim of a key, which is not recorded itself. */
export function claimOfKey(operation: string, key: string): string {
  return `k:${createHash('sha256').update(`${operation} ${key}`).digest('base64url')}`;
}
