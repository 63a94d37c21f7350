import { z } from 'zod';
import type { Consumer } from '../domain/consumer.ts';
import { printWarnings } from './config-error.ts';
import { check } from './describe-issue.ts';
import type { Environment } from './environment.ts';
import { consumersOf } from './environment-keys.ts';
import type { Variables } from './interpolate.ts';
import type { Report } from './json-path.ts';
import { hasKeys } from './keys-file.ts';
import { keysFileSchema } from './keys-schema.ts';
import type { ModelsConfig } from './models-config.ts';
import { isLoopback } from './network.ts';
import { KeyReader } from './read-caller.ts';
import { parseConfigText, readConfigText } from './read-config-file.ts';
import { isObject } from './read-model.ts';

/** Who may call, and what the operator should see to, one line each. */
export type KeysConfig = { readonly consumers: readonly Consumer[]; readonly warnings: readonly string[] };

const fileKeys = keysFileSchema(z.unknown());

type Known = Pick<ModelsConfig, 'models' | 'aliases'>;

/**
 * Everybody who may call: each key of `GATEWAY_API_KEYS`, and the callers of the keys file, if there is one. Without any,
 * everybody may.
 *
 * @throws ConfigError with every problem of the file
 */
export function loadKeys(
  { gatewayApiKeys, keysFile, host }: Pick<Environment, 'gatewayApiKeys' | 'keysFile' | 'host'>,
  variables: Variables,
  models: Known,
): KeysConfig {
  const consumers = consumersOf(gatewayApiKeys);
  if (!hasKeys(keysFile)) return { consumers, warnings: [] };
  const isPublic = !isLoopback(host);
  const text = readConfigText(keysFile, 'KEYS_FILE');
  const file = parseKeys(text, { variables, models, others: consumers, file: keysFile, isPublic });
  return { consumers: [...consumers, ...file.consumers], warnings: file.warnings };
}

type Context = {
  readonly variables: Variables;
  readonly models: Known;
  /** Whose keys stand elsewhere. */
  readonly others?: readonly Consumer[];
  /** What the text is called in an error. */
  readonly file?: string;
  /** Whether the gateway listens beyond loopback. */
  readonly isPublic?: boolean;
  /** The time of day, in milliseconds since 1970. */
  readonly now?: number;
};

/** Checks the text of a keys file. Throws a ConfigError with every problem that was found. */
export function parseKeys(
  text: string,
  { variables, models, others = [], file = 'the keys file', isPublic = false, now = Date.now() }: Context,
): KeysConfig {
  const { config, warnings } = parseConfigText({ text, file, variables }, (value, report, warn) => {
    const reader = new KeyReader({ models, others, isPublic, now, report, warn });
    return readCallers(value, reader, report);
  });
  return { consumers: config, warnings: printWarnings(file, warnings) };
}

function readCallers(value: unknown, reader: KeyReader, report: Report): Consumer[] | undefined {
  if (!isObject(value)) {
    report([], 'the file must hold an object');
    return undefined;
  }
  const isWhole = check(fileKeys, value, [], report) !== undefined;
  const entries = Object.entries(isObject(value.callers) ? value.callers : {});
  if (isObject(value.callers) && entries.length === 0) report(['callers'], 'must not be empty');
  const consumers = entries.map(([name, entry]) => reader.read(name, entry));
  const complete = consumers.filter((consumer) => consumer !== undefined);
  return isWhole && complete.length === consumers.length ? complete : undefined;
}
