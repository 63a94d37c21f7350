import { type Carrier, carrierOf, isPolled, type Mode, type Places } from '../modes.ts';
import { type Step, wait } from '../script.ts';
import { expected } from './expected.ts';
import type { Exception } from './fault.ts';

/** The same response to the paid POST in all modes. */
export const atPost = (steps: () => Step[]) => (): Partial<Places> => ({ post: steps() });

/** Something happens to the body that carries the image. */
export const onCarrier =
  (steps: (carrier: Carrier) => Step[]) =>
  (mode: Mode): Partial<Places> => ({ result: steps(carrierOf(mode)) });

/** The same body instead of the one that reports images. */
export const instead =
  (steps: () => Step[]) =>
  (mode: Mode): Partial<Places> =>
    atEnd(mode, steps());

/** The response that reports images. */
export const atEnd = (mode: Mode, steps: readonly Step[]): Partial<Places> =>
  isPolled(mode) ? { poll: steps } : { post: steps };

export const json = { 'content-type': 'application/json' };
export const second = 1_000;

/** The deadline of requests that would wait for ever. */
export const hurried = 1_500;

/** The same, where a job is to be started and polled meanwhile. */
export const hurriedJob = 4_000;

/** The same, where free steps are retried for as long as the last of them has time to end. */
export const lasting = 8_000;

/** A job whose polls say nothing about it, until there is no time for another one. */
export const lostJob: { readonly 'agent-background': Exception } = {
  'agent-background': { reported: expected.unknownJob, timeoutMs: lasting },
};

/** The same in all modes whose jobs are polled. */
export const lostJobs: Readonly<Partial<Record<Mode, Exception>>> = {
  ...lostJob,
  C: { reported: expected.unknown, timeoutMs: lasting },
};

/** What has been sent is read before the connection is gone: a reset takes along what is still unread. */
export const noticed = wait(50);
