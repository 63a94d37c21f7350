import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setInterval as every } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { App } from '../app.ts';
import { type Environment, hasKeys } from '../config/environment.ts';
import { changedVariables, type Variables } from '../config/interpolate.ts';
import { loadKeys } from '../config/load-keys.ts';
import { ConfigError } from '../config/problems.ts';
import { isSameProxy } from '../domain/egress-proxy.ts';
import type { ReloadRecorder } from '../telemetry/reload-metrics.ts';
import { type Configuration, configFiles, contentOf, entraFor, readModels, warningsOf } from './configuration.ts';

/**
 * Reads and checks the configuration and makes everything ready, but changes nothing yet. Rejects with a ConfigError that has
 * every problem. The function that it gives puts the configuration in force, at once and without fail.
 */
export type Prepare = (variables: Variables) => Promise<() => void>;

/** Why the configuration is read again. */
export type Trigger = 'SIGHUP' | 'change';

type Options = {
  readonly prepare: Prepare;
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
  /** Looks at the files every five seconds, for as long as the process lives. Both options are for tests. */
  watch(options?: { readonly intervalMs?: number; readonly signal?: AbortSignal }): Promise<void>;
};

const defaultIntervalMs = 5_000;

/** Replaces the configuration of a running process: as a whole and when all of it is valid, and else the old one goes on. */
export function createReload({ prepare, files, readVariables, recorder, logger, isEnding, content }: Options): Reload {
  let tried = content;
  let wasRefused = false;
  let turn = Promise.resolve();

  async function reload(trigger: Trigger): Promise<void> {
    if (isEnding()) return;
    const found = contentOf(files);
    if (trigger === 'change' && found === tried) return;
    tried = found;
    try {
      const swap = await prepare(readVariables());
      if (isEnding()) return;
      swap();
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

/** As the start prints them, line by line. */
function problemsOf(error: unknown): string[] {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n').map((line) => line.trim());
}

/** Replaces what the models file and the keys file decide, together, because keys name models. */
export function preparation(app: App, logger: Logger, start: Configuration): Prepare {
  const { environment } = start;
  let told = warningsOf(start);
  return async (variables) => {
    const models = readModels(environment.modelsFile, variables);
    const keys = loadKeys(environment, variables, models);
    const warnings = warningsOf({ ...start, models, keys });
    if (keys.consumers.length === 0 && !app.keyStore.isOpen) throw nobodyLeft(environment);
    // The default keys file need not exist.
    const texts = configFiles(environment)
      .filter(hasKeys)
      .map((file) => readFileSync(file, 'utf8'));
    const others = changedVariables(start.variables, variables, texts.join('\n'));
    const swap = app.prepare(models, await entraFor(models));
    return () => {
      swap();
      app.keyStore.replace(keys.consumers);
      for (const warning of warnings) if (!told.includes(warning)) logger.warn(warning);
      told = warnings;
      if (others.length > 0) logger.warn({ variables: others }, 'changed in .env: in force after the next start');
      if (!isSameProxy(start.models.egressProxy, models.egressProxy)) {
        logger.warn('egressProxy has changed: in force after the next start');
      }
    };
  };
}

/** A gateway that has asked for keys would refuse everybody from now on, and the next start would let everybody in. */
function nobodyLeft({ keysFile = 'the keys file' }: Environment): ConfigError {
  const message = 'the file does not exist any more, and GATEWAY_API_KEYS is not set: nobody could call';
  return new ConfigError(keysFile, [{ path: '', message }]);
}
