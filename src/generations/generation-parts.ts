import type { ImageRequest } from '../domain/image-request.ts';
import type { ImageStore } from '../domain/image-store.ts';
import type { JobAttempt, JobLease } from '../domain/job-store.ts';
import type { Account } from './account.ts';
import type { Admission, Permits } from './admission.ts';
import { chargesOf } from './charges.ts';
import type { GenerationCalls } from './failover.ts';
import type { InFlight } from './in-flight.ts';
import { Journal } from './journal.ts';
import { Keeping, type KeepReason } from './keeping.ts';
import type { CallContext } from './upstream-call.ts';

/** What a generation is made of: a new request, or a job that was taken over. */
export type GenerationParts = {
  readonly lease: JobLease;
  readonly consumer: string;
  /** Its request has an `Idempotency-Key`. */
  readonly isKeyed: boolean;
  /** Its client can find it again, by its key or by its id. */
  readonly isRetrievable: boolean;
  /** No client waits for it: readers may come and go. */
  readonly isBackground: boolean;
  /** It repeats a job that may have been billed. */
  readonly isRepeat: boolean;
  /** Calls of an earlier owner of the job. */
  readonly earlier?: readonly JobAttempt[];
  readonly keepReason: KeepReason | undefined;
  readonly request: ImageRequest;
  /** The logical model. */
  readonly model: { readonly name: string };
  readonly context: Omit<CallContext, 'signal' | 'retryUntil' | 'journal' | 'keeping' | 'isParked' | 'account'>;
  /** @param deadline as of `performance.now()` */
  readonly createCalls: (context: CallContext, deadline: number) => GenerationCalls;
  readonly maxRetries: number;
  readonly timeoutMs: number;
  readonly permits: Permits;
  readonly account: Account;
  readonly admission: Pick<Admission, 'acquire'>;
  readonly inFlight: InFlight;
  readonly images: ImageStore;
};

type Progressing = {
  readonly signal: AbortSignal;
  /** As of `performance.now()`. */
  readonly deadline: number;
  /** The readers that want the bytes of images, or of partial images. */
  readonly readers: (isPartial: boolean) => readonly object[];
  readonly isParked: () => boolean;
};

/** What does the work of a generation: its calls, what is kept of their images, and what is recorded of both. */
export function createWork(parts: GenerationParts, { signal, deadline, readers, isParked }: Progressing) {
  const { timeoutMs, inFlight, images, context, keepReason, account, earlier = [] } = parts;
  // Free steps end a moment earlier, so that their own failure is reported, and not only that the time is over.
  const retryUntil = deadline - Math.min(1_000, timeoutMs / 10);
  const isHosted = context.delivery === 'url' && context.hosting !== undefined;
  const mustBeStored = isHosted ? { signal, until: retryUntil } : undefined;
  const keeping = new Keeping({ images, mustBeStored, readers }, keepReason);
  const settle = (how: { readonly isDone: boolean; readonly isPart: boolean }) =>
    account.settle(chargesOf(calls.calls, { ...how, earlier }), how.isPart);
  const kept = parts.isBackground ? parts.request.edit?.inputs : undefined;
  const removeInputs = async () => kept?.release();
  const recording = { ...parts, store: inFlight.store, makeRoom: () => keeping.makeRoom(), settle, removeInputs };
  const journal = new Journal(recording, parts.earlier);
  const calls: GenerationCalls = parts.createCalls(
    { ...context, signal, retryUntil, journal, keeping, isParked, account },
    deadline,
  );
  return { keeping, journal, calls };
}
