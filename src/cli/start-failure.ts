import { ConfigError } from '../config/problems.ts';

type Failure = NodeJS.ErrnoException & {
  readonly address?: string;
  readonly port?: number;
  readonly variable?: string;
};

/** Does a step of the start that depends on one variable of the environment: a failure is told with its name. */
export async function dependingOn<T>(variable: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw error instanceof Error ? Object.assign(error, { variable }) : error;
  }
}

/** Why the gateway could not start, for people, with the way out where there is a usual one. */
export function describeStartFailure(error: unknown): string {
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  if (errors.every((one) => one instanceof ConfigError)) return describeProblems(errors);
  if (error instanceof AggregateError) return errors.map(describeStartFailure).join('');
  const failure = error as Failure;
  const sentence = failure.syscall === 'listen' ? whyNotListening(failure) : whyNotUsable(failure);
  return `${sentence ?? `The gateway could not start: ${failure.message}`}\n`;
}

function whyNotListening({ code, address, port, variable = 'PORT' }: Failure): string | undefined {
  const place = `${address}:${port}`;
  if (code === 'EADDRINUSE') return `${place} is in use: name a free port in ${variable}.`;
  if (code === 'EACCES') return `There is no permission to listen on ${place}: set ${variable} to a port above 1023.`;
  if (code === 'EADDRNOTAVAIL') return `${address} is not an address of this machine: set HOST to one that is.`;
  return undefined;
}

function whyNotUsable({ code = '', path, syscall, variable }: Failure): string | undefined {
  if (variable === undefined) return undefined;
  if (syscall === 'getaddrinfo') return 'The name in HOST has no address here: set HOST to an address of this machine.';
  if (!Object.hasOwn(directoryProblems, code)) return undefined;
  return `${variable} cannot be used${path === undefined ? '' : ` (${path})`}: ${directoryProblems[code]}.`;
}

const directoryProblems: Readonly<Record<string, string>> = {
  EACCES: 'there is no permission to write there',
  EPERM: 'there is no permission to write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is not a directory',
  EEXIST: 'a part of the path is not a directory',
  ENOENT: 'it cannot be created there',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EBUSY: 'another gateway that runs uses it, and each needs a directory of its own',
};

function describeProblems(errors: readonly ConfigError[]): string {
  const problems = errors.flatMap((error) => error.problems);
  const isMissingVariable = problems.some(({ missingVariable }) => missingVariable !== undefined);
  const hint = '\nSet the variables in .env (see .env.example), or try the gateway without Azure: npm run demo';
  return `${errors.map(({ message }) => message).join('\n')}${isMissingVariable ? hint : ''}\n`;
}
