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
import type { ReloadRecorder } from '../telemetry/telemetry.ts';
import { type Configuration, configFiles, contentOf, entraFor, readModels, warningsOf } from './configuration.ts';

/**
 * Reads and checks the configuration and makes everything ready, but changes nothing yet. Rejects with a ConfigError that has
 * every problem. The function that it gives puts the configuration in force, at once and without fail.
 */
export type Prepare = (variables: Variables) => Promise<() => void>;

/** Why the configuration is reloaded. */
export type Trigger = 'SIGHUP' | 'change';

type Options = {
  readonly prepare: Prepare;
  /** The files that are read. */
  readonly files: readonly string[];
  readonly readVariables: () => Variables;
  readonly recorder: ReloadRecorder;
  readonly logger: Logger;
  /** Whether the process is shutting down: then nothing is replaced. */
  readonly isEnding: () => boolean;
  /** {@link contentOf} the files when the first configuration was read. */
  readonly content: string;
};

export type Reload = {
  /** Reloads; for `change` only if the content differs from the last time. Never rejects. */
  now(trigger: Trigger): Promise<void>;
  /** Checks the files every five seconds while the process lives. Both options are for tests. */
  watch(options?: { readonly intervalMs?: number; readonly signal?: AbortSignal }): Promise<void>;
};

const defaultIntervalMs = 5_000;

/** Replaces the configuration of a running process, as a whole; an invalid one changes nothing. */
export function createReload({ prepare, files, readVariables, recorder, logger, isEnding, content }: Options): Reload {
  let tried = content;
  let wasRefused = false;
  let last = Promise.resolve();

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
      logger.error(
        { trigger, problems: problemsOf(error) },
        'reload failed: the previous configuration stays in force',
      );
    }
  }

  /** Reloads run one after the other: two at once could leave the older configuration in force. */
  function now(trigger: Trigger): Promise<void> {
    last = last.then(() => reload(trigger));
    return last;
  }

  return {
    now,
    async watch({ intervalMs = defaultIntervalMs, ...until } = {}) {
      let seen: string | undefined;
      // `ref: false`: the timer does not keep the process alive.
      for await (const _ of every(intervalMs, undefined, { ref: false, ...until })) {
        const state = await stateOf(files);
        // After a failure, a file may have become readable without looking different.
        if (state !== seen || wasRefused) await now('change');
        seen = state;
      }
    },
  };
}

/** The state of the files behind all links: Kubernetes updates a ConfigMap by switching a symbolic link. */
async function stateOf(files: readonly string[]): Promise<string> {
  const states = files.map(async (file) => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  });
  return (await Promise.all(states.map((state) => state.catch(codeOf)))).join(', ');
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

/** The lines that a start would print. */
function problemsOf(error: unknown): string[] {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n').map((line) => line.trim());
}

/** Replaces what the models file and the keys file decide, together, because keys name models. */
export function preparation(app: App, logger: Logger, start: Configuration): Prepare {
  const { environment } = start;
  let logged = warningsOf(start);
  return async (variables) => {
    const models = readModels(environment.modelsFile, variables);
    const keys = loadKeys(environment, variables, models);
    const warnings = warningsOf({ ...start, models, keys });
    if (keys.consumers.length === 0 && !app.keyStore.isOpen) throw noConsumersLeft(environment);
    // The default keys file need not exist.
    const texts = configFiles(environment)
      .filter(hasKeys)
      .map((file) => readFileSync(file, 'utf8'));
    const others = changedVariables(start.variables, variables, texts.join('\n'));
    const swap = app.prepare(models, await entraFor(models));
    return () => {
      swap();
      app.keyStore.replace(keys.consumers);
      for (const warning of warnings) if (!logged.includes(warning)) logger.warn(warning);
      logged = warnings;
      if (others.length > 0) logger.warn({ variables: others }, 'changed in .env: takes effect after a restart');
      if (!isSameProxy(start.models.egressProxy, models.egressProxy)) {
        logger.warn('egressProxy changed: takes effect after a restart');
      }
    };
  };
}

/** Without any key, this process would refuse every request, and the next start would accept every request. */
function noConsumersLeft({ keysFile = 'the keys file' }: Environment): ConfigError {
  const message = 'the file no longer exists and GATEWAY_API_KEYS is not set, so no client could authenticate';
  return new ConfigError(keysFile, [{ path: '', message }]);
}
