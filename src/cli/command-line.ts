import { parseArgs } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { printName, suggest } from '../config/problems.ts';
import { describeStartFailure } from './start-failure.ts';

/** One command of the program, `node dist/main.js NAME`. */
export type Command = {
  readonly name: string;
  /** The npm script that runs it, such as `npm run key`. */
  readonly npm: string;
  /** What follows, such as `MODEL [--yes]`. */
  readonly words: string;
  readonly about: string;
  /** Its options and what they mean; `value` is the placeholder of an option that takes one. */
  readonly options: Readonly<Record<string, { readonly meaning: string; readonly value?: string }>>;
  /** How many words may stand beside options; 0 by default. */
  readonly maxWords?: number;
  /** Whether the process exits once `run` has ended, although packages may still hold timers or connections. */
  readonly exits?: boolean;
  /** Runs until it is done, or until the gateway listens. May set `process.exitCode`; a rejection is printed, and exits with 1. */
  run(line: CommandLine): Promise<void>;
};

export type CommandLine = {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly words: readonly string[];
};

const common: Command['options'] = {
  help: { meaning: 'show this help' },
  version: { meaning: 'show the version' },
};

/** Runs the command that the first argument names; without a name, the first command. */
export async function runProgram(commands: readonly [Command, ...Command[]], args: readonly string[]): Promise<void> {
  const [word = '', ...rest] = args;
  const [first] = commands;
  const isNamed = word !== '' && !word.startsWith('-');
  const command = isNamed ? commands.find(({ name }) => name === word) : first;
  if (command === undefined) {
    const names = commands.map(({ name }) => name);
    refuse(`unknown command \`${printName(word)}\`${suggest(word, names)}`, `node dist/main.js [${names.join('|')}]`);
    return;
  }
  const line = isNamed ? readCommandLine(command, rest) : readCommandLine(command, args, list(commands));
  if (line === undefined) return;
  try {
    await command.run(line);
  } catch (error) {
    process.stderr.write(describeStartFailure(error));
    process.exitCode = 1;
  }
  // The callback waits until everything is written.
  if (command.exits) process.stdout.write('', () => process.exit());
}

function list(commands: readonly Command[]): string {
  const lines = commands.map(({ name, about }) => `  ${name.padEnd(8)}${about}\n`);
  return `\nCommands (node dist/main.js COMMAND --help says more):\n${lines.join('')}`;
}

/**
 * Reads the arguments of a command, strictly: a misspelt option must not start what it should prevent.
 *
 * @returns `undefined` when there is nothing to run: help, the version or a problem was printed, and the exit code is set
 */
export function readCommandLine(command: Command, args: readonly string[], furtherHelp = ''): CommandLine | undefined {
  const options = { ...command.options, ...common };
  const parsed = parseArgs({ args: [...args], strict: false, tokens: true, options: parserOptions(options) });
  if (parsed.values.help === true) process.stdout.write(helpOf(command, options) + furtherHelp);
  else if (parsed.values.version === true) process.stdout.write(`${manifest.version}\n`);
  else {
    const problem = parsed.tokens.map((token) => problemOf(token, options)).find((one) => one !== undefined);
    const isTooMuch = parsed.positionals.length > (command.maxWords ?? 0);
    const extra = isTooMuch ? `unexpected argument \`${printName(parsed.positionals.at(-1) ?? '')}\`` : undefined;
    if (problem === undefined && extra === undefined) return { values: parsed.values, words: parsed.positionals };
    refuse(problem ?? extra ?? '', usageOf(command));
  }
  return undefined;
}

/** How users run a command. */
export function usageOf({ npm, words }: Command): string {
  return words === '' ? npm : `${npm} -- ${words}`;
}

function refuse(problem: string, usage: string): void {
  process.stderr.write(`${problem}\nUsage: ${usage}\nRun it with --help for more.\n`);
  process.exitCode = 1;
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

function helpOf(command: Command, options: Command['options']): string {
  const rows = Object.entries(options).map(([name, { value, meaning }]) => [
    `--${name}${value === undefined ? '' : ` ${value}`}`,
    meaning,
  ]);
  const width = Math.max(...rows.map(([option = '']) => option.length));
  const lines = rows.map(([option = '', meaning = '']) => `  ${option.padEnd(width)}  ${meaning}\n`);
  const { name, words, about } = command;
  const usage = `Usage: ${usageOf(command)}\n       ${`node dist/main.js ${name} ${words}`.trimEnd()}\n`;
  return `${usage}\n${about}\n\nOptions:\n${lines.join('')}`;
}
