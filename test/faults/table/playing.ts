import { type Carrier, carrierOf, type Mode, type Places } from '../modes.ts';
import { type Step, wait } from '../script.ts';

/** The same answer to the paid POST in all modes. */
export const atPost = (steps: () => Step[]) => (): Partial<Places> => ({ post: steps() });

/** Something happens to the body that carries the picture. */
export const onCarrier =
  (steps: (carrier: Carrier) => Step[]) =>
  (mode: Mode): Partial<Places> => ({ result: steps(carrierOf(mode)) });

/** The same body instead of the one that tells about pictures. */
export const instead =
  (steps: () => Step[]) =>
  (mode: Mode): Partial<Places> =>
    mode === 'C' ? { poll: steps() } : { post: steps() };

export const json = { 'content-type': 'application/json' };
export const second = 1_000;

/** The deadline of requests that would wait for ever. */
export const hurried = 1_500;

/** What has been sent is read before the connection is gone: a reset takes along what is still unread. */
export const noticed = wait(50);
