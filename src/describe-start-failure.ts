import { ConfigError } from './config/config-error.ts';

/** Why the gateway could not start, for people, with the way out where there is a usual one. */
export function describeStartFailure(error: unknown): string {
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  if (errors.every((one) => one instanceof ConfigError)) return describeProblems(errors);
  if (error instanceof AggregateError) return errors.map(describeStartFailure).join('');
  const { code, message, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE') {
    return `${address}:${port} is in use. Set PORT (METRICS_PORT, or for the demo's simulator SIMULATOR_URL) to a free one.\n`;
  }
  return `The gateway could not start: ${message}\n`;
}

function describeProblems(errors: readonly ConfigError[]): string {
  const problems = errors.flatMap((error) => error.problems);
  const isMissingVariable = problems.some(({ missingVariable }) => missingVariable !== undefined);
  const hint = '\nSet the variables in .env (see .env.example), or try the gateway without Azure: npm run demo';
  return `${errors.map(({ message }) => message).join('\n')}${isMissingVariable ? hint : ''}\n`;
}
