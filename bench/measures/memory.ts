import { readFileSync, writeFileSync } from 'node:fs';

const kilobyte = 1024;
const megabyte = 1_000_000;

/** What a process has of the machine's memory now, in MB of a million bytes. */
export function residentMb(pid: number): number {
  return line(pid, 'VmRSS');
}

/** Its peak since {@link forgetPeak}. */
export function peakMb(pid: number): number {
  return line(pid, 'VmHWM');
}

/** Lets the peak begin anew. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function line(pid: number, name: string): number {
  const text = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (text === undefined) throw new Error(`the system does not tell ${name}`);
  return (Number(text) * kilobyte) / megabyte;
}
