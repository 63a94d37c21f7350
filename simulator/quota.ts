import { azureError, type PlainResponse } from './azure-errors.ts';

/**
 * A quota of Azure: so many requests in any window of that length. An even one also allows no more than its share in a sixth and
 * in a sixtieth of the window, as Azure looks at a minute's quota in windows of 10 and of 1 second:
 * https://learn.microsoft.com/azure/ai-foundry/openai/how-to/quota#understanding-rate-limits
 */
export type QuotaOptions = {
  readonly requests: number;
  readonly windowMs: number;
  readonly isEven?: boolean;
  /** The deployments that draw on it; by default all. */
  readonly deployments?: readonly string[];
};

/** What a request gets: the headers of its response, and the refusal, if it is refused. */
export type QuotaVerdict = { readonly headers: Readonly<Record<string, string>>; readonly refusal?: PlainResponse };

/** Quotas that deployments draw on. A request that is refused does not count. */
export class Quotas {
  readonly #quotas: readonly { readonly options: QuotaOptions; readonly times: number[] }[];
  /** How many requests were refused. */
  refused = 0;

  constructor(quotas: readonly QuotaOptions[]) {
    this.#quotas = quotas.map((options) => ({ options, times: [] }));
  }

  /** Counts a request for a deployment; `undefined`: there is no quota for it. */
  take(deployment: string, apiVersion: string, now = performance.now()): QuotaVerdict | undefined {
    const quota = this.#quotas.find(({ options }) => options.deployments?.includes(deployment) ?? true);
    if (quota === undefined) return undefined;
    const { options, times } = quota;
    while ((times[0] ?? now) <= now - options.windowMs) times.shift();
    const waitMs = Math.max(...rulesOf(options).map(({ count, ms }) => (times.at(-count) ?? -ms) + ms - now));
    if (waitMs <= 0) times.push(now);
    else this.refused += 1;
    const resetMs = Math.max(0, (times.at(-options.requests) ?? -Number.MAX_VALUE) + options.windowMs - now);
    const headers = {
      'x-ratelimit-limit-requests': String(options.requests),
      'x-ratelimit-remaining-requests': String(options.requests - times.length),
      'x-ratelimit-reset-requests': `${Math.ceil(resetMs / 1000)}s`,
    };
    return waitMs <= 0 ? { headers } : { headers, refusal: refusalOf(waitMs, apiVersion) };
  }
}

function rulesOf({ requests, windowMs, isEven = false }: QuotaOptions) {
  const shares = isEven ? [1 / 60, 1 / 6, 1] : [1];
  return shares.map((share) => ({ count: Math.ceil(requests * share), ms: windowMs * share }));
}

function refusalOf(waitMs: number, apiVersion: string): PlainResponse {
  const seconds = Math.ceil(waitMs / 1000);
  return {
    ...rateLimit(apiVersion, ` Please retry after ${seconds} seconds.`),
    headers: { 'retry-after': String(seconds), 'retry-after-ms': String(Math.ceil(waitMs)) },
  };
}

/** The wording of Azure's rate limit, with or without the wait in it. */
export function rateLimit(apiVersion: string, wait: string): PlainResponse {
  const operation = `the ImageGenerations_Create Operation under Azure OpenAI API version ${apiVersion}`;
  const limit = 'have exceeded call rate limit of your current OpenAI S0 pricing tier.';
  return azureError(429, '429', `Requests to ${operation} ${limit}${wait}`);
}

/** Reads `12/60s`, for all deployments, or `gpt-image-2,gpt-image-1=12/60s`. Throws an Error for anything else. */
export function parseQuota(text: string): QuotaOptions {
  const [, names, requests, seconds] = /^(?:([\w.,-]+)=)?([1-9]\d{0,5})\/([1-9]\d{0,4})s$/.exec(text) ?? [];
  if (requests === undefined) throw new Error(`--quota must be like 12/60s or gpt-image-2=12/60s, not '${text}'`);
  const quota = { requests: Number(requests), windowMs: Number(seconds) * 1000, isEven: true };
  return names === undefined ? quota : { ...quota, deployments: names.split(',') };
}
