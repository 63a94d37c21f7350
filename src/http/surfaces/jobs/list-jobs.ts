import { GatewayError } from '../../../domain/gateway-error.ts';
import type { Job } from '../../../domain/job-store.ts';
import type { Jobs } from '../../../generations/jobs.ts';
import type { ModelCatalog } from '../../../targets/model-catalog.ts';
import { jobIdOf } from '../../gateway-headers.ts';
import { type JobStatus, jobObject, jobStatuses, shownStatus, statesOf } from './job-object.ts';

type Query = Readonly<Record<string, unknown>>;

const [defaultLimit, maxLimit] = [20, 100];

/** A page of a consumer's jobs, as OpenAI's lists are paged. Rejects with `invalid_value`. */
export async function listJobs(
  consumer: string,
  query: Query,
  { jobs, catalog }: { jobs: Jobs; catalog: ModelCatalog },
) {
  const status = oneOf('status', query.status, jobStatuses);
  const model = textOf('model', query.model);
  const limit = limitOf(query.limit);
  const order = oneOf('order', query.order, ['asc', 'desc']) ?? 'desc';
  const cursor = textOf('after', query.after);
  const filter = {
    consumer,
    order,
    states: status && statesOf(status),
    model: model === undefined ? undefined : (catalog.aliases.get(model) ?? model),
  };
  let after = cursor === undefined ? undefined : (await jobs.find(consumer, jobIdOf(cursor))).id;
  const found: { readonly job: Job; readonly status: JobStatus }[] = [];
  while (found.length <= limit) {
    const page = await jobs.list({ ...filter, after, limit: limit + 1 });
    // What has lost its images has another status than the store knows. All of a page are looked for at the same time.
    const shown = await Promise.all(page.map(async (job) => ({ job, status: await shownStatus(job, jobs) })));
    found.push(...shown.filter((one) => status === undefined || one.status === status));
    after = page.at(-1)?.id;
    if (page.length <= limit) break;
  }
  const data = found.slice(0, limit).map(({ job, status: shown }) => jobObject(job, shown));
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: found.length > limit,
  };
}

function limitOf(value: unknown): number {
  if (value === undefined) return defaultLimit;
  const limit = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : 0;
  if (limit >= 1 && limit <= maxLimit) return limit;
  throw invalid('limit', `must be 1 to ${maxLimit}`);
}

function textOf(name: string, value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '' && value.length <= 256)) return value;
  throw invalid(name, 'must be one text');
}

function oneOf<T extends string>(name: string, value: unknown, known: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = known.find((each) => each === value);
  if (found === undefined) throw invalid(name, `must be one of ${known.join(', ')}`);
  return found;
}

function invalid(param: string, problem: string): GatewayError {
  return new GatewayError('invalid_value', `'${param}' ${problem}.`, { param });
}
