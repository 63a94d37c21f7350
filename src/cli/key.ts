import { randomBytes } from 'node:crypto';
import { consumerName, consumerNameRule } from '../config/keys-schema.ts';
import { hashOfKey } from '../domain/consumer.ts';
import type { Command } from './command-line.ts';

export const key: Command = {
  name: 'key',
  npm: 'npm run key',
  words: '--name NAME',
  about: 'Creates a key for a consumer and shows it once.',
  options: { name: { value: 'NAME', meaning: 'whose key it is' } },
  async run({ values }) {
    showKey(String(values.name ?? ''));
  },
};

function showKey(name: string): void {
  if (consumerName.test(name)) {
    process.stdout.write(introduction(name, makeKey()));
  } else {
    const problem = name === '' ? '`--name` is required' : 'The name is not valid';
    process.stderr.write(`${problem}: npm run key -- --name NAME\nThe name ${consumerNameRule}.\n`);
    process.exitCode = 1;
  }
}

type NewKey = { readonly key: string; readonly sha256: string };

/** A new key: 256 random bits with a prefix that people and secret scanners recognise. */
export function makeKey(): NewKey {
  const key = `aig_${randomBytes(32).toString('base64url')}`;
  return { key, sha256: hashOfKey(key) };
}

function introduction(name: string, { key, sha256 }: NewKey): string {
  const entry = JSON.stringify({ keys: [{ sha256 }] });
  return `The key of ${name}. It is shown only once and stored nowhere:

  ${key}

Add this to "callers" in config/keys.json (for an existing consumer, add only the entry of "keys"):

  "${name}": ${entry}
`;
}
