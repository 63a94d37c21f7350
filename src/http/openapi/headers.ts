import type { RateLimitHeader } from '../gateway-headers.ts';
import { callerLimits, maxRetriesHeader, timeoutHeader } from '../gateway-headers.ts';
import type { JsonSchema } from './json-schema.ts';

type Header = { readonly description: string; readonly schema: JsonSchema };

const text: JsonSchema = { type: 'string' };
const limits = (name: keyof typeof callerLimits): JsonSchema => ({
  type: 'integer',
  minimum: callerLimits[name].min,
  maximum: callerLimits[name].max,
});

const count: JsonSchema = { type: 'integer', minimum: 0 };
const duration: JsonSchema = { type: 'string', pattern: '^(\\d+h)?(\\d+m)?\\d+m?s$' };

/** What is left of the limits of a key, where it has some. */
const rateLimitHeaders = {
  'x-ratelimit-limit-requests': { description: 'Requests that the key may make in a window.', schema: count },
  'x-ratelimit-remaining-requests': { description: 'Those that are left.', schema: count },
  'x-ratelimit-reset-requests': { description: 'When all are there again: `20ms`, `1s`, `6m0s`.', schema: duration },
  'x-ratelimit-limit-images': { description: 'Images that the key may ask for in a window.', schema: count },
  'x-ratelimit-remaining-images': { description: 'Those that are left.', schema: count },
  'x-ratelimit-reset-images': { description: 'When all are there again.', schema: duration },
} as const satisfies Record<RateLimitHeader, Header>;

/** The name ends in the currency of the prices, which the document does not know. */
export const costHeaderInDollars = 'x-gateway-cost-usd';

/** Headers of answers, by name; web pages may read all of them. */
export const answerHeaders = {
  'x-request-id': { description: 'The request’s id, as in the log.', schema: text },
  'x-gateway-model': { description: 'The model, whichever alias was used.', schema: text },
  'x-gateway-target': { description: 'The target that was asked.', schema: text },
  'x-gateway-attempts': { description: 'Calls that were made.', schema: count },
  'x-gateway-adapted': { description: 'What the gateway did itself; missing if nothing.', schema: text },
  [costHeaderInDollars]: {
    description: 'What the images cost, where that is certain in time. The name ends in the currency of the prices.',
    schema: { type: 'string', pattern: '^\\d+(\\.\\d+)?$' },
  },
  [timeoutHeader]: {
    description: 'The deadline in force, if the caller asked for one.',
    schema: limits(timeoutHeader),
  },
  [maxRetriesHeader]: {
    description: 'The retries in force, if the caller asked for some.',
    schema: limits(maxRetriesHeader),
  },
  'server-timing': { description: 'Milliseconds in queues, and until the outcome was known.', schema: text },
  'retry-after': { description: 'The wait in seconds, if it is known.', schema: { type: 'integer', minimum: 1 } },
  'retry-after-ms': { description: 'The same in milliseconds.', schema: { type: 'number', minimum: 0 } },
  'x-should-retry': {
    description: 'SDKs must not repeat the request by themselves.',
    schema: { type: 'string', const: 'false' },
  },
  ...rateLimitHeaders,
  'www-authenticate': { description: 'How a key is shown.', schema: text },
  allow: { description: 'The methods that there are.', schema: text },
  etag: { description: 'The image’s own; it never changes.', schema: text },
  'accept-ranges': { description: '`bytes`.', schema: text },
  'content-range': { description: 'Which bytes these are.', schema: text },
  'cache-control': { description: 'How long a hosted image may be kept; of streams: not at all.', schema: text },
} as const satisfies Record<string, Header>;

export type AnswerHeader = keyof typeof answerHeaders;

/** On answers of requests that passed the gateway’s own checks. */
export const startedHeaders: readonly AnswerHeader[] = [
  'x-gateway-model',
  'x-gateway-target',
  'x-gateway-attempts',
  'x-gateway-adapted',
  timeoutHeader,
  maxRetriesHeader,
  'server-timing',
  ...(Object.keys(rateLimitHeaders) as RateLimitHeader[]),
];

/** On answers with images, beside those. */
export const imageHeaders: readonly AnswerHeader[] = [costHeaderInDollars, 'cache-control'];

export const retryHeaders: readonly AnswerHeader[] = ['retry-after', 'retry-after-ms', 'x-should-retry'];

/** Links to the documented headers, as a response has them; every answer has `x-request-id`. */
export function headerLinks(names: readonly AnswerHeader[]): JsonSchema {
  return Object.fromEntries(['x-request-id', ...names].map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

type Sent = Header & { readonly name: string; readonly in: 'header' | 'query' };

/** What callers of images may send beside the body, by the name of its component. */
export const requestParameters = {
  RequestId: {
    name: 'x-request-id',
    in: 'header',
    description: 'An id for this request; another form than this gets a new one.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
  },
  Target: { name: 'x-target', in: 'header', description: 'The model, where nothing else names one.', schema: text },
  TimeoutMs: {
    name: timeoutHeader,
    in: 'header',
    description: 'A shorter deadline than the model’s.',
    schema: limits(timeoutHeader),
  },
  MaxRetries: {
    name: maxRetriesHeader,
    in: 'header',
    description: 'Fewer retries than the model’s.',
    schema: limits(maxRetriesHeader),
  },
  ApiVersion: { name: 'api-version', in: 'query', description: 'Any; it has no effect.', schema: text },
} as const satisfies Record<string, Sent>;
