import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startChild } from '../children.ts';
import type { Call, Order, Report } from './call.ts';

export interface Driver {
  /** A fixed number of calls at once, the next when one has ended. */
  closed(call: Call, atOnce: number, count: number): Promise<Report>;
  /** The same, but the first ones begin evenly over that time, so that responses come evenly. */
  steady(call: Call, load: { atOnce: number; count: number; beginMs: number }): Promise<Report>;
  /** Calls at a fixed rate, whatever becomes of those before. */
  open(call: Call, perSecond: number, count: number): Promise<Report>;
  /** Readers that stop reading when their response begins; they stay until the next order. */
  stall(call: Call, readers: number): Promise<Report>;
  /** Uploads, all at once. */
  edit(call: Call, load: { edits: number; images: number; bytes: number }): Promise<Report>;
}

/** Starts the driver, which ends with this program. An order rejects when one of its calls went wrong. */
export function startDriver(): Driver {
  const program = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = startChild('others', [process.execPath, program]);
  const order = async (what: Order): Promise<Report> => {
    const message = once(child, 'message');
    child.send(what);
    const [report] = (await message) as [Report];
    const [mistake] = report.mistakes;
    if (mistake !== undefined) {
      throw new Error(`${report.mistakes.length} calls of ${what.call.url} went wrong: ${mistake}`);
    }
    return report;
  };
  return {
    closed: (call, atOnce, count) => order({ kind: 'closed', call, atOnce, count, beginMs: 0 }),
    steady: (call, load) => order({ kind: 'closed', call, ...load }),
    open: (call, perSecond, count) => order({ kind: 'open', call, perSecond, count }),
    stall: (call, readers) => order({ kind: 'stall', call, readers }),
    edit: (call, load) => order({ kind: 'edit', call, ...load }),
  };
}
