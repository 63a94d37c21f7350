import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';

export const fuzzKey = 'fuzz-key';

export type FuzzedGateway = {
  readonly url: string;
  readonly port: number;
  readonly program: Program;
  readonly simulator: Simulator;
  /** Why the process is not there any more, and what it was working on; empty while it lives. */
  lastWords(underWay: Iterable<number>): Promise<string>;
  /** What the process holds of the machine's memory, in bytes. */
  residentBytes(): number;
  /** What it has said since the last time that no input is a reason for: errors in its log, and anything beside the log. */
  complaints(): string[];
  /** The prompts that were billed since the last time. */
  billed(): string[];
  /** The prompts that have reached the simulator since the last time. */
  received(): string[];
};

/** The built gateway as a process of its own in front of a simulator. Both end with the test. */
export async function startFuzzed(): Promise<FuzzedGateway> {
  const simulator = await startSimulator({ operationMs: 1, partialMs: 0 });
  onTestFinished(() => simulator.close());
  const env = { GATEWAY_API_KEYS: fuzzKey, LOG_LEVEL: 'info', DATA_DIR: '' };
  const program = await startProgram({ models: modelsFile(simulator.origin), env });
  const url = await program.listening();
  return {
    url,
    port: Number(new URL(url).port),
    program,
    simulator,
    billed: () => taken(simulator.ledger.generations).map(({ prompt }) => prompt),
    received: () => taken(simulator.ledger.requests).map(({ body }) => promptOf(body)),
    lastWords: async (underWay) => {
      // The system tells its end a moment after that of its connections.
      await Promise.race([program.exited.catch(() => {}), wait(1_000)]);
      if (program.child.exitCode === null && program.child.signalCode === null) return '';
      const inputs = [...underWay].join(', ');
      return `; the gateway has ended, under way were ${inputs}: ${program.output.stderr}${program.output.stdout.slice(-4_000)}`;
    },
    residentBytes: () => {
      const status = readFileSync(`/proc/${program.child.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    },
    complaints: () => {
      const { stdout, stderr } = program.output;
      const whole = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
      program.output.stdout = stdout.slice(whole.length);
      program.output.stderr = '';
      const lines = whole.split('\n').filter((line) => /"level":(?:"(?:error|fatal)"|[56]0)/.test(line));
      return stderr === '' ? lines : [...lines, stderr];
    },
  };
}

/** What the ledger has noted since the last time; it forgets nothing in between that counts less than its limits. */
function taken<T>(noted: readonly T[]): T[] {
  return (noted as T[]).splice(0);
}

/** The prompt of a recorded body: of JSON, or of an edit's form. */
function promptOf(body: unknown): string {
  const { prompt, fields } = (body ?? {}) as { prompt?: unknown; fields?: readonly (readonly [string, unknown])[] };
  return String(prompt ?? fields?.find(([name]) => name === 'prompt')?.[1] ?? '');
}

/** More than this the process may not have grown by after all inputs: buffers and caches have bounds, leaks have none. */
export const maxGrowth = 200 * 1024 * 1024;
