import type { Called } from '../helpers/call-gateway.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { generate, type Members } from './paid-once.ts';

export const asynchronous = { prefer: 'respond-async' } as const;

export type JobBody = {
  readonly id: string;
  readonly object: string;
  readonly status: string;
  readonly created_at: number;
  readonly completed_at: number | null;
  readonly expires_at: number | null;
  readonly model: string;
  readonly error: { readonly code: string; readonly message: string } | null;
};

type Call = { readonly method?: string; readonly headers?: Readonly<Record<string, string>> };

/** Any call with a good key. */
export async function call(url: string, path: string, { method = 'GET', headers = {} }: Call = {}): Promise<Called> {
  const response = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${gatewayKey}`, ...headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

/** Starts a job, and gives its id. */
export async function startedJob(url: string, members: Members = {}): Promise<string> {
  return jobIn(await generate(url, members, asynchronous)).id;
}

export function jobIn({ text }: Called): JobBody {
  return JSON.parse(text) as JobBody;
}

/** The job once it has ended. */
export async function endOf(url: string, id: string): Promise<JobBody> {
  for (;;) {
    const job = jobIn(await call(url, `/v1/images/jobs/${id}`, { headers: { prefer: 'wait=60' } }));
    if (job.status !== 'queued' && job.status !== 'in_progress') return job;
  }
}
