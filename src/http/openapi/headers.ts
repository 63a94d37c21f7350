import { callerLimits, maxRetriesHeader, type RateLimitHeader, timeoutHeader } from '../gateway-headers.ts';
import type { JsonSchema } from './describe.ts';

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
  'x-ratelimit-limit-requests': { description: 'Requests per window.', schema: count },
  'x-ratelimit-remaining-requests': { description: 'How many are left.', schema: count },
  'x-ratelimit-reset-requests': { description: 'Until the window ends: `20ms`, `1s`, `6m0s`.', schema: duration },
  'x-ratelimit-limit-images': { description: 'Images per window.', schema: count },
  'x-ratelimit-remaining-images': { description: 'How many are left.', schema: count },
  'x-ratelimit-reset-images': { description: 'Until the window ends.', schema: duration },
} as const satisfies Record<RateLimitHeader, Header>;

/** The name ends in the currency of the prices, which the document does not know. */
export const costHeaderInDollars = 'x-gateway-cost-usd';

/** Headers of responses, by name; web pages may read all of them. */
export const responseHeaders = {
  'x-request-id': { description: 'The request’s id, as in the log.', schema: text },
  'x-gateway-model': { description: 'The model, whichever alias was used.', schema: text },
  'x-gateway-target': { description: 'The target that served the request.', schema: text },
  'x-gateway-job': { description: 'The job, where the client can retrieve it.', schema: text },
  'idempotent-replayed': {
    description: 'The response is the stored one of an earlier request with the same key.',
    schema: { type: 'string', const: 'true' },
  },
  'x-gateway-attempts': { description: 'Paid calls that were made.', schema: count },
  'x-gateway-adapted': { description: 'What the gateway adapted; absent if nothing.', schema: text },
  [costHeaderInDollars]: {
    description: 'What the images cost, where that is certain in time. The name ends in the currency.',
    schema: { type: 'string', pattern: '^\\d+(\\.\\d+)?$' },
  },
  'x-gateway-cost-estimated': {
    description: 'The cost is counted with list prices.',
    schema: { type: 'string', const: 'true' },
  },
  'x-gateway-budget': {
    description: 'From the soft limit of the key’s budget on: how much is used, of how much, and when it is reset.',
    schema: { type: 'string', pattern: '^used=\\d+%; amount=[\\d.]+ [A-Z]{3}; per=(day|month); reset=\\S+Z$' },
  },
  [timeoutHeader]: {
    description: 'The deadline in force, if the request set one.',
    schema: limits(timeoutHeader),
  },
  [maxRetriesHeader]: {
    description: 'The retries in force, if the request set them.',
    schema: limits(maxRetriesHeader),
  },
  'server-timing': { description: 'Milliseconds in queues, and until the outcome was known.', schema: text },
  'retry-after': { description: 'The wait in seconds, if it is known.', schema: { type: 'integer', minimum: 1 } },
  'retry-after-ms': { description: 'The same in milliseconds.', schema: { type: 'number', minimum: 0 } },
  'x-should-retry': {
    description: 'SDKs must not retry by themselves.',
    schema: { type: 'string', const: 'false' },
  },
  ...rateLimitHeaders,
  location: { description: 'Where the job is.', schema: text },
  'preference-applied': { description: 'Which wishes of `Prefer` were granted (RFC 7240).', schema: text },
  'operation-location': { description: 'Where the operation is.', schema: { type: 'string', format: 'uri' } },
  'x-ms-error-code': { description: 'The code of the error.', schema: text },
  'www-authenticate': { description: 'How to send a key.', schema: text },
  allow: { description: 'The allowed methods.', schema: text },
  etag: { description: 'Of the image; it never changes.', schema: text },
  'accept-ranges': { description: '`bytes`.', schema: text },
  'content-range': { description: 'The range of these bytes.', schema: text },
  'cache-control': { description: 'How long a hosted image may be cached; streams: not at all.', schema: text },
} as const satisfies Record<string, Header>;

export type ResponseHeader = keyof typeof responseHeaders;

/** On responses to requests that passed the gateway’s own checks. */
export const startedHeaders: readonly ResponseHeader[] = [
  'x-gateway-model',
  'x-gateway-target',
  'x-gateway-job',
  'idempotent-replayed',
  'x-gateway-attempts',
  'x-gateway-adapted',
  'x-gateway-budget',
  timeoutHeader,
  maxRetriesHeader,
  'server-timing',
  ...(Object.keys(rateLimitHeaders) as RateLimitHeader[]),
];

/** On responses with images, beside those. */
export const imageHeaders: readonly ResponseHeader[] = [
  costHeaderInDollars,
  'x-gateway-cost-estimated',
  'cache-control',
];

export const retryHeaders: readonly ResponseHeader[] = ['retry-after', 'retry-after-ms', 'x-should-retry'];

/** Links to the documented headers, as a response has them; every response has `x-request-id`. */
export function headerLinks(names: readonly ResponseHeader[]): JsonSchema {
  return Object.fromEntries(['x-request-id', ...names].map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

type Sent = Header & { readonly name: string; readonly in: 'header' | 'query' };

/** What clients may send beside the body of a request, by the name of its component. */
export const requestParameters = {
  RequestId: {
    name: 'x-request-id',
    in: 'header',
    description: 'An id for this request; any other form is replaced.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'Equal requests with an equal key are one: the images are made once, and can be had again.',
    schema: { type: 'string', minLength: 1, maxLength: 257 },
  },
  Prefer: {
    name: 'Prefer',
    in: 'header',
    description: '`respond-async` starts a job; `wait=N` waits for its end, up to 60 s (RFC 7240).',
    schema: text,
  },
  OperationId: {
    name: 'Operation-Id',
    in: 'header',
    description: 'The id of the operation. The same request with the same id is the same operation.',
    schema: { type: 'string', format: 'uuid' },
  },
  ClientRequestId: {
    name: 'x-ms-client-request-id',
    in: 'header',
    description:
      'Without an `Operation-Id`: an equal body with an equal GUID is a retry. Any other form has no effect.',
    schema: text,
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

/** Links to the documented parameters, as an operation has them. */
export function parameterLinks(...names: readonly (keyof typeof requestParameters)[]): readonly JsonSchema[] {
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}

/** Of every request that asks for images. */
export const callParameters = parameterLinks(
  'RequestId',
  'IdempotencyKey',
  'Target',
  'TimeoutMs',
  'MaxRetries',
  'ApiVersion',
);
