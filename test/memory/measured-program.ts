import { once } from 'node:events';
import { type Program, startProgram } from '../end-to-end/program.ts';

const megabyte = 1024 * 1024;

type MeasuredProgram = Program & {
  /** The most memory that was in use since this was last requested. */
  peakMegabytes(): Promise<number>;
  /** The most memory of the machine that the process has had. */
  residentMegabytes(): Promise<number>;
};

/** A gateway process that tells how much memory it takes. */
export async function startMeasured(start: Parameters<typeof startProgram>[0]): Promise<MeasuredProgram> {
  const reporter = new URL('report-memory.js', import.meta.url).href;
  const program = await startProgram({ ...start, nodeOptions: ['--import', reporter] });
  const call = async (what: string) => {
    const reported = once(program.child, 'message');
    program.child.send(what);
    const [bytes] = await reported;
    return Number(bytes) / megabyte;
  };
  return { ...program, peakMegabytes: () => call('peak'), residentMegabytes: () => call('resident') };
}
