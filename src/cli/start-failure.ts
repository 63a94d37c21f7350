import { ConfigError } from '../config/problems.ts';

type Failure = NodeJS.ErrnoException & {
  readonly address?: string;
  readonly port?: number;
  readonly variable?: string;
};

/** Runs a step that depends on one environment variable; a failure is described with its name. */
export async function dependingOn<T>(variable: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw error instanceof Error ? Object.assign(error, { variable }) : error;
  }
}

/** Why a command failed, with the usual fix where there is one. */
export function describeStartFailure(error: unknown): string {
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  if (errors.every((one) => one instanceof ConfigError)) return describeProblems(errors);
  if (error instanceof AggregateError) return errors.map(describeStartFailure).join('');
  const failure = error as Failure;
  const sentence = failure.syscall === 'listen' ? whyNotListening(failure) : whyNotUsable(failure);
  return `${sentence ?? `Error: ${failure.message}`}\n`;
}

function whyNotListening({ code, address, port, variable = 'PORT' }: Failure): string | undefined {
  const place = `${address}:${port}`;
  if (code === 'EADDRINUSE') return `${place} is already in use: set ${variable} to a free port.`;
  if (code === 'EACCES') return `No permission to listen on ${place}: set ${variable} to a port above 1023.`;
  if (code === 'EADDRNOTAVAIL') return `${address} is not an address of this machine: set HOST to one that is.`;
  return undefined;
}

function whyNotUsable({ code = '', path, syscall, variable }: Failure): string | undefined {
  if (variable === undefined) return undefined;
  if (syscall === 'getaddrinfo') return 'The name in HOST cannot be resolved: set HOST to an address of this machine.';
  if (!Object.hasOwn(directoryProblems, code)) return undefined;
  return `${variable} cannot be used${path === undefined ? '' : ` (${path})`}: ${directoryProblems[code]}.`;
}

const directoryProblems: Readonly<Record<string, string>> = {
  EACCES: 'no permission to write',
  EPERM: 'no permission to write',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is not a directory',
  EEXIST: 'a part of the path is not a directory',
  ENOENT: 'it cannot be created',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is exceeded',
};

function describeProblems(errors: readonly ConfigError[]): string {
  const problems = errors.flatMap((error) => error.problems);
  const isMissingVariable = problems.some(({ missingVariable }) => missingVariable !== undefined);
  const hint = '\nSet the variables in .env (see .env.example), or try the gateway without Azure: npm run demo';
  return `${errors.map(({ message }) => message).join('\n')}${isMissingVariable ? hint : ''}\n`;
}
