import type { ImageRequest } from '../domain/image-request.ts';
import type { ImageStore } from '../domain/image-store.ts';
import type { JobAttempt, JobLease } from '../domain/job-store.ts';
import type { Admission, Permits } from './admission.ts';
import type { GenerationCalls } from './failover.ts';
import type { InFlight } from './in-flight.ts';
import type { KeepReason } from './keeping.ts';
import type { CallContext } from './upstream-call.ts';

/** What a generation is made of: a new request, or a job that was taken over. */
export type GenerationParts = {
  readonly lease: JobLease;
  readonly consumer: string;
  /** Its request has an `Idempotency-Key`. */
  readonly isKeyed: boolean;
  /** It repeats a job that may have been billed. */
  readonly isRepeat: boolean;
  /** Calls of an earlier owner of the job. */
  readonly earlier?: readonly JobAttempt[];
  readonly keepReason: KeepReason | undefined;
  readonly request: ImageRequest;
  /** The logical model. */
  readonly model: { readonly name: string };
  readonly context: Omit<CallContext, 'signal' | 'retryUntil' | 'journal' | 'keeping' | 'isParked'>;
  /** @param deadline as of `performance.now()` */
  readonly createCalls: (context: CallContext, deadline: number) => GenerationCalls;
  readonly maxRetries: number;
  readonly timeoutMs: number;
  readonly permits: Permits;
  readonly admission: Pick<Admission, 'acquire'>;
  readonly inFlight: InFlight;
  readonly images: ImageStore;
};
