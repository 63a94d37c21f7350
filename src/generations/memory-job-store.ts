import { randomBytes } from 'node:crypto';
import type { GatewayError } from '../domain/gateway-error.ts';
import type { UpstreamHandle } from '../domain/image-provider.ts';
import type { Claimed, JobClaim, JobEnd, JobId, JobStore } from '../domain/job-store.ts';

type Unknown = { readonly error: GatewayError; readonly timer: NodeJS.Timeout };

/**
 * Jobs of one process, which end with it. A client's own retry joins what its client has left, the oldest first, or gets
 * the unknown outcome of a moment ago; a job that somebody reads is never joined.
 */
export class MemoryJobStore implements JobStore {
  lingerMs: number;
  readonly #claims = new Map<JobId, JobClaim>();
  readonly #orphans = new Map<string, Set<JobId>>();
  readonly #unknown = new Map<string, Unknown>();

  constructor(lingerMs: number) {
    this.lingerMs = lingerMs;
  }

  /** How many jobs have no reader. */
  get orphans(): number {
    return [...this.#orphans.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async claim(claim: JobClaim): Promise<Claimed> {
    if (this.#orphans.size > 0 || this.#unknown.size > 0) {
      const known = this.#find(nameOf(claim));
      if (known !== undefined) return known;
    }
    const job = randomBytes(18).toString('base64url');
    this.#claims.set(job, claim);
    return { kind: 'new', job };
  }

  mayJoin(consumer: string): boolean {
    const isTheirs = (name: string) => name.startsWith(`${consumer} `);
    return [...this.#orphans.keys(), ...this.#unknown.keys()].some(isTheirs);
  }

  orphan(job: JobId): void {
    const name = this.#nameOf(job);
    if (name === undefined) return;
    this.#orphans.set(name, (this.#orphans.get(name) ?? new Set()).add(job));
  }

  /** Nothing is kept across a restart: both resolve at once. */
  async dispatch(_job: JobId): Promise<void> {}

  async note(_job: JobId, _handle: UpstreamHandle): Promise<void> {}

  async finish(job: JobId, end: JobEnd): Promise<void> {
    for (const [name, jobs] of this.#orphans) if (jobs.has(job)) this.#removeOrphan(name, job);
    if (end.name === 'unknown') this.#remember(job, end.error as GatewayError);
    this.#claims.delete(job);
  }

  #find(name: string): Claimed | undefined {
    const [job] = this.#orphans.get(name) ?? [];
    if (job !== undefined) {
      this.#removeOrphan(name, job);
      return { kind: 'joined', job };
    }
    const unknown = this.#unknown.get(name);
    return unknown && { kind: 'unknown', error: unknown.error };
  }

  #remember(job: JobId, error: GatewayError): void {
    const name = this.#nameOf(job);
    if (name === undefined) return;
    clearTimeout(this.#unknown.get(name)?.timer);
    const timer = setTimeout(() => this.#unknown.delete(name), this.lingerMs).unref();
    this.#unknown.set(name, { error, timer });
  }

  #removeOrphan(name: string, job: JobId): void {
    const jobs = this.#orphans.get(name);
    jobs?.delete(job);
    if (jobs?.size === 0) this.#orphans.delete(name);
  }

  #nameOf(job: JobId): string | undefined {
    const claim = this.#claims.get(job);
    return claim && nameOf(claim);
  }
}

function nameOf({ consumer, fingerprint }: JobClaim): string {
  return `${consumer} ${fingerprint}`;
}
