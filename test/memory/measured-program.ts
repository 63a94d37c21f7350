import { once } from 'node:events';
import { type Program, startProgram } from '../end-to-end/program.ts';

const megabyte = 1024 * 1024;

type MeasuredProgram = Program & {
  /** The most memory that was in use since this was last asked. */
  peakMegabytes(): Promise<number>;
  /** The most memory of the machine that the process has had. */
  residentMegabytes(): Promise<number>;
};

/** A gateway process that tells how much memory it takes. */
export async function startMeasured(start: Parameters<typeof startProgram>[0]): Promise<MeasuredProgram> {
  const reporter = new URL('report-memory.ts', import.meta.url).href;
  const program = await startProgram({ ...start, nodeOptions: ['--import', reporter] });
  const ask = async (what: string) => {
    const told = once(program.child, 'message');
    program.child.send(what);
    const [bytes] = await told;
    return Number(bytes) / megabyte;
  };
  return { ...program, peakMegabytes: () => ask('peak'), residentMegabytes: () => ask('resident') };
}
