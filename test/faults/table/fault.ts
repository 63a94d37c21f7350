import type { Welcome } from '../fault-server.ts';
import { everyMode, type Mode, type Places } from '../modes.ts';
import type { Request } from '../read-requests.ts';
import type { TokenDesk } from '../token-desk.ts';
import type { Expected } from './expected.ts';

export type Fault = {
  /** The row of the fault matrix; extras of single modes have none. */
  readonly number?: number;
  readonly name: string;
  /** Nothing is reached at all. */
  readonly address?: 'refused' | 'no such name';
  readonly welcome?: Welcome;
  readonly isSecure?: false;
  /** Instead of a key, targets are shown tokens of this desk. */
  readonly tokens?: () => TokenDesk;
  /** What stands in for a good answer, the `index`th of its kind. */
  readonly play?: (mode: Mode, host: string, index: number, request: Request) => Partial<Places>;
  /** So many requests of each kind meet it; all, if left out. */
  readonly times?: number;
  /** The deadline of requests that meet it; 12 s if left out. */
  readonly timeoutMs?: number;
  readonly modelKeys?: Readonly<Record<string, unknown>>;
  readonly upstreamTimes?: { readonly bodyIdleMs?: number; readonly connectMs?: number };
  readonly modes?: readonly Mode[];
  readonly told: Expected;
  /** Where it comes to something else, e.g. because the image travels in a GET. */
  readonly exceptions?: Readonly<Partial<Record<Mode, Exception>>>;
};

export type Exception = { readonly told: Expected; readonly timeoutMs?: number };

/** What a fault comes to in a mode. */
export const toldIn = (fault: Fault, mode: Mode): Expected => fault.exceptions?.[mode]?.told ?? fault.told;

export const timeoutIn = (fault: Fault, mode: Mode): number | undefined =>
  fault.exceptions?.[mode]?.timeoutMs ?? fault.timeoutMs;

export const isIn = ({ modes: only = everyMode }: Fault, mode: Mode): boolean => only.includes(mode);
