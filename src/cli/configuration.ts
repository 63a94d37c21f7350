import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { providers } from '../app.ts';
import { dotEnvFile, type Environment, keysFileOf, modelsFileOf, readEnvironment } from '../config/environment.ts';
import { checkIdentity, checkTlsVerification } from '../config/environment-checks.ts';
import { referredNames, type Variables } from '../config/interpolate.ts';
import { type KeysConfig, loadKeys } from '../config/load-keys.ts';
import { loadModels } from '../config/load-models.ts';
import { type ModelsConfig, needsTokens } from '../config/models-config.ts';
import { isKeylessAzure } from '../domain/object-storage.ts';
import { type EntraTokens, loadEntra } from '../upstream/entra.ts';
import { retirementWarnings } from './retirement-warnings.ts';
import { review } from './review.ts';

export type Configuration = {
  readonly environment: Environment;
  readonly models: ModelsConfig;
  readonly keys: KeysConfig;
  /** What the rest was read from, and the hash of the files. */
  readonly variables: Variables;
  readonly files: readonly string[];
  readonly content: string;
};

/**
 * Reads the environment, the models file and the keys file, and checks the variables of the Azure identity if one is needed.
 *
 * @throws ConfigError with every problem, or an AggregateError of several such
 */
export function readConfiguration(variables: Variables): Configuration {
  const failures: unknown[] = [];
  const configs = configFiles({ modelsFile: modelsFileOf(variables), keysFile: keysFileOf(variables) });
  const environment = attempt(failures, () =>
    readEnvironment(variables, referredNames(configs.map(textOf).join('\n'))),
  );
  attempt(failures, () => checkTlsVerification(variables));
  if (environment?.jobs?.password === 'entra') attempt(failures, () => checkIdentity(variables));
  const files = [...configs, dotEnvFile()];
  const content = contentOf(files);
  const models = attempt(failures, () => readModels(modelsFileOf(variables), variables));
  // The models' own tokens are checked with them.
  if (environment && isKeylessAzure(environment.objectStorage) && !(models && needsTokens(models))) {
    attempt(failures, () => checkIdentity(variables));
  }
  const keys = environment && models && attempt(failures, () => loadKeys(environment, variables, models));
  if (environment === undefined || models === undefined || keys === undefined || failures.length > 0) {
    throw failures.length === 1 ? failures[0] : new AggregateError(failures);
  }
  return { environment, models, keys, variables, files, content };
}

/** Collects a failure, so that problems of all sources are reported together. */
function attempt<T>(failures: unknown[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    failures.push(error);
    return undefined;
  }
}

/** What is valid but probably not meant, one line each. */
export function warningsOf({ environment, models, keys }: Configuration): readonly string[] {
  const isOpenToPages = keys.consumers.length === 0 && environment.corsOrigins.includes('*');
  return [
    ...environment.warnings,
    ...(isOpenToPages ? [openToPages] : []),
    ...models.warnings,
    ...keys.warnings,
    ...retirementWarnings(models, Date.now()),
  ];
}

const openToPages =
  'the environment: CORS_ORIGINS: without authentication, * lets every web page opened on this machine request images; list the origins or set GATEWAY_API_KEYS';

export function configFiles({ modelsFile, keysFile }: Pick<Environment, 'modelsFile' | 'keysFile'>): string[] {
  return keysFile === undefined ? [modelsFile] : [modelsFile, keysFile];
}

export function readModels(file: string, variables: Variables): ModelsConfig {
  const models = loadModels(file, variables, providers, review);
  if (needsTokens(models)) checkIdentity(variables);
  return models;
}

/** A hash of the files' content, to detect changes. */
export function contentOf(files: readonly string[]): string {
  return hash('sha256', JSON.stringify(files.map(textOf)));
}

/** The text, or the error code: a file that cannot be read is reported by its reader. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** The source of Entra ID tokens, where a target needs one. Rejects when the environment offers none that makes sense. */
export async function entraFor(models: ModelsConfig): Promise<EntraTokens | undefined> {
  return needsTokens(models) ? loadEntra() : undefined;
}
