import type { Welcome } from '../fault-server.ts';
import { type Mode, modes, type Places } from '../modes.ts';
import type { Expected } from './expected.ts';

export type Fault = {
  /** Of RELIABILITY §6; extras of single modes have none. */
  readonly number?: number;
  readonly name: string;
  /** Nothing is reached at all. */
  readonly address?: 'refused' | 'no such name';
  readonly welcome?: Welcome;
  readonly isSecure?: false;
  /** What stands in for a good answer, the `index`th of its kind. */
  readonly play?: (mode: Mode, host: string, index: number) => Partial<Places>;
  /** So many requests of each kind meet it; all, if left out. */
  readonly times?: number;
  /** The deadline of requests that meet it; 12 s if left out. */
  readonly timeoutMs?: number;
  readonly modelKeys?: Readonly<Record<string, unknown>>;
  readonly upstreamTimes?: { readonly bodyIdleMs?: number; readonly connectMs?: number };
  readonly modes?: readonly Mode[];
  readonly told: Expected;
  /** Where the asynchronous flow comes to something else, because the picture travels in a GET. */
  readonly toldInC?: Expected;
};

/** What a fault comes to in a mode. */
export function toldIn(fault: Fault, mode: Mode): Expected {
  return (mode === 'C' ? fault.toldInC : undefined) ?? fault.told;
}

export const isIn = ({ modes: only = modes }: Fault, mode: Mode): boolean => only.includes(mode);
