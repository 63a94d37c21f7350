import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setInterval as every } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Variables } from '../config/interpolate.ts';
import type { ReloadRecorder } from '../telemetry/metrics.ts';

/**
 * Reads a part of the configuration, checks it and makes everything ready, but changes nothing yet. Rejects with a
 * ConfigError that has every problem. The function that it gives puts the new part in force, at once and without fail.
 */
export type Prepare = (variables: Variables) => Promise<() => void>;

/** Why the configuration is read again. */
export type Trigger = 'SIGHUP' | 'change';

type Parts = {
  /** All parts are replaced together, or none. */
  readonly parts: readonly Prepare[];
  /** What they are read from. */
  readonly files: readonly string[];
  readonly readVariables: () => Variables;
  readonly recorder: ReloadRecorder;
  readonly logger: Logger;
  /** Nothing is replaced in a process that is about to end. */
  readonly isEnding: () => boolean;
  /** What {@link contentOf} said about the files when the first configuration was read. */
  readonly content: string;
};

export type Reload = {
  /** Reads everything again; for a change only if the files hold something else than the last time. Never rejects. */
  now(trigger: Trigger): Promise<void>;
  /** Looks at the files every five seconds, for as long as the process lives. Tests do not have the time. */
  watch(options?: { readonly intervalMs?: number; readonly signal?: AbortSignal }): Promise<void>;
};

const defaultIntervalMs = 5_000;

/** Replaces the configuration of a running process: as a whole and when all of it is valid, and else the old one goes on. */
export function createReload({ parts, files, readVariables, recorder, logger, isEnding, content }: Parts): Reload {
  let tried = content;
  let wasRefused = false;
  let turn = Promise.resolve();

  async function reload(trigger: Trigger): Promise<void> {
    if (isEnding()) return;
    const found = contentOf(files);
    if (trigger === 'change' && found === tried) return;
    tried = found;
    try {
      const swaps = await prepareAll(parts, readVariables());
      if (isEnding()) return;
      for (const swap of swaps) swap();
      wasRefused = false;
      recorder.reloadEnded('applied');
      logger.info({ trigger }, 'reloaded');
    } catch (error) {
      wasRefused = true;
      recorder.reloadEnded('refused');
      logger.error({ trigger, problems: problemsOf(error) }, 'not reloaded: the configuration from before goes on');
    }
  }

  /** One after the other: two at once could leave the older one in force. */
  function now(trigger: Trigger): Promise<void> {
    turn = turn.then(() => reload(trigger));
    return turn;
  }

  return {
    now,
    async watch({ intervalMs = defaultIntervalMs, ...until } = {}) {
      let seen: string | undefined;
      // It keeps no process alive.
      for await (const _ of every(intervalMs, undefined, { ref: false, ...until })) {
        const looks = await looksOf(files);
        // What could not be read before may be readable now, although it looks the same.
        if (looks !== seen || wasRefused) await now('change');
        seen = looks;
      }
    },
  };
}

/** Tells what files hold from what they held before, and says nothing about it. */
export function contentOf(files: readonly string[]): string {
  return hash('sha256', JSON.stringify(files.map(textOf)));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return codeOf(error);
  }
}

/** Of what stands at these paths in the end: a ConfigMap is replaced by pointing a link on the way elsewhere. */
async function looksOf(files: readonly string[]): Promise<string> {
  const looks = files.map(async (file) => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  });
  return (await Promise.all(looks.map((look) => look.catch(codeOf)))).join(', ');
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

/** Rejects with an AggregateError of what is wrong with any of them. */
async function prepareAll(parts: readonly Prepare[], variables: Variables): Promise<(() => void)[]> {
  const results = await Promise.allSettled(parts.map(async (prepare) => prepare(variables)));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (failures.length > 0) throw new AggregateError(failures);
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** As the start prints them, line by line. */
function problemsOf(error: unknown): string[] {
  if (error instanceof AggregateError) return error.errors.flatMap(problemsOf);
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n').map((line) => line.trim());
}
