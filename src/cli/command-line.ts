import { parseArgs } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { printName } from '../config/json-path.ts';
import { suggest } from '../config/suggest.ts';

/** What a program takes from its command line. */
export type Command = {
  /** How it is called, such as `npm run key -- --name NAME`. */
  readonly usage: string;
  /** What it does, in one or a few lines. */
  readonly about: string;
  /** Its options with what they mean; `value` is what stands for the value of one that takes one. */
  readonly options: Readonly<Record<string, { readonly meaning: string; readonly value?: string }>>;
  /** How many words may stand beside options; without it, none. */
  readonly maxWords?: number;
};

export type CommandLine = {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly words: readonly string[];
};

const common: Command['options'] = {
  help: { meaning: 'prints this' },
  version: { meaning: 'prints the version of the gateway' },
};

/**
 * Reads the command line of a program, strictly: an option with a typing mistake must not start what it should prevent.
 *
 * @returns `undefined` when everything is said and the program is to end, with an exit code that is set already
 */
export function readCommandLine(command: Command, args = process.argv.slice(2)): CommandLine | undefined {
  const options = { ...command.options, ...common };
  const parsed = parseArgs({ args, strict: false, tokens: true, options: parserOptions(options) });
  if (parsed.values.help === true) process.stdout.write(helpOf(command, options));
  else if (parsed.values.version === true) process.stdout.write(`${manifest.version}\n`);
  else {
    const problem = parsed.tokens.map((token) => problemOf(token, options)).find((one) => one !== undefined);
    const isTooMuch = parsed.positionals.length > (command.maxWords ?? 0);
    const extra = isTooMuch ? `unexpected argument \`${printName(parsed.positionals.at(-1) ?? '')}\`` : undefined;
    if (problem === undefined && extra === undefined) return { values: parsed.values, words: parsed.positionals };
    process.stderr.write(`${problem ?? extra}\nUsage: ${command.usage}\n--help tells more.\n`);
    process.exitCode = 1;
  }
  return undefined;
}

function parserOptions(options: Command['options']) {
  return Object.fromEntries(
    Object.entries(options).map(([name, { value }]) => [
      name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        ...(name === 'help' && { short: 'h' }),
      },
    ]),
  );
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];

function problemOf(token: Token, options: Command['options']): string | undefined {
  if (token.kind !== 'option') return undefined;
  const known = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
  if (known === undefined) {
    const names = Object.keys(options).map((name) => `--${name}`);
    return `unknown option \`${printName(token.rawName)}\`${suggest(token.rawName, names)}`;
  }
  if (known.value === undefined) return token.value === undefined ? undefined : `\`--${token.name}\` takes no value`;
  return token.value === undefined ? `\`--${token.name}\` needs a value` : undefined;
}

function helpOf({ usage, about }: Command, options: Command['options']): string {
  const rows = Object.entries(options).map(([name, { value, meaning }]) => [
    `--${name}${value === undefined ? '' : ` ${value}`}`,
    meaning,
  ]);
  const width = Math.max(...rows.map(([option = '']) => option.length));
  const lines = rows.map(([option = '', meaning = '']) => `  ${option.padEnd(width)}  ${meaning}\n`);
  return `Usage: ${usage}\n\n${about}\n\nOptions:\n${lines.join('')}`;
}
