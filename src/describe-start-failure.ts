import { ConfigError } from './config/config-error.ts';

/** Why the gateway could not start, for people, with the way out where there is a usual one. */
export function describeStartFailure(error: unknown): string {
  if (error instanceof ConfigError) {
    const isMissingVariable = error.problems.some(({ missingVariable }) => missingVariable !== undefined);
    const hint = '\nSet the variables in .env (see .env.example), or try the gateway without Azure: npm run demo';
    return `${error.message}${isMissingVariable ? hint : ''}\n`;
  }
  const { code, message, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE') {
    return `${address}:${port} is in use. Set PORT (METRICS_PORT, or for the demo's simulator SIMULATOR_URL) to a free one.\n`;
  }
  return `The gateway could not start: ${message}\n`;
}
