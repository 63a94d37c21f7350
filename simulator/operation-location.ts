import type { ImageJob } from './image-job.ts';
import type { Operation } from './operations.ts';

const ordinaryPath = '/openai/operations/images/';
const laterPath = '/openai/dalle/operations/images/';

/** The two paths below which operations are polled and deleted. */
export const operationPaths = [ordinaryPath, laterPath] as const;

/** The path at which an operation lives that was submitted under this api-version. */
export function operationPathOf(apiVersion: string): string {
  return apiVersion === '2023-10-01-preview' ? laterPath : ordinaryPath;
}

/** The headers of the 202. CONTRACTS §3.1: 2023-10-01-preview points to another path and to another api-version. */
export function acceptedHeaders({ id, path, job }: Operation, apiVersion: string, origin: string) {
  const polledVersion = path === laterPath ? '2023-08-01-preview' : apiVersion;
  const pathAndQuery = `${path}${id}?api-version=${polledVersion}`;
  switch (job.scenario.name) {
    case 'operation-no-header':
      return {};
    case 'operation-foreign-host':
      return { 'operation-location': `https://gateway.example.invalid${pathAndQuery}` };
    case 'operation-outside':
      return { 'operation-location': `${origin}/outside/${id}?api-version=${polledVersion}` };
    case 'operation-relative':
      return { 'operation-location': pathAndQuery };
    default:
      return { 'operation-location': `${origin}${pathAndQuery}`, ...retryAfter(job) };
  }
}

/** The wait that a scenario asks for on the 202 and on every poll. */
export function retryAfter({ scenario }: ImageJob): Record<string, string> {
  return scenario.name === 'operation-retry-after' ? { 'retry-after': String(scenario.value) } : {};
}
