import { parseArgs } from 'node:util';
import type { Part } from './part.ts';
import { parts } from './parts/all.ts';

export type Arguments = {
  readonly chosen: readonly Part[];
  readonly isQuick: boolean;
  /** Whether the result is kept under its day, for a commit. */
  readonly isSaved: boolean;
  readonly before: string | undefined;
};

/** Reads the command line. Throws an error whose message says what can be written. */
export function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      before: { type: 'string' },
    },
    allowPositionals: true,
  });
  const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) {
    const names = parts.map(({ name }) => name).join(', ');
    throw new Error(`There is no part ${unknown.join(', ')}. The parts are ${names}.`);
  }
  const chosen = positionals.length === 0 ? parts : parts.filter(({ name }) => positionals.includes(name));
  return { chosen, isQuick: values.quick, isSaved: values.save, before: values.before };
}
