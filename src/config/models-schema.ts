import { z } from 'zod';
import { parameterPolicies } from '../domain/parameter-policy.ts';
import { printableName } from '../domain/printable-name.ts';
import { currencySchema, priceSchema } from './price-schema.ts';
import { connectionKeys } from './target-schema.ts';

const parameter = z.string().min(1).exactOptional();

const defaults = z.strictObject({
  size: parameter,
  quality: parameter,
  background: parameter,
  output_format: parameter,
  output_compression: z.int().min(0).max(100).exactOptional(),
  moderation: parameter,
  style: parameter,
  response_format: z.enum(['url', 'b64_json']).exactOptional(),
});

const modelShape = {
  timeoutMs: z.int().min(1000).max(900_000).exactOptional().describe('Time limit of a request, in milliseconds'),
  defaults: defaults.exactOptional().describe('Default parameters of requests'),
  parameters: z
    .enum(parameterPolicies)
    .default('adapt')
    .describe('Parameters that the model does not support: adapt them or refuse, refuse (strict), or forward (pass)'),
  maxRetries: z
    .int()
    .min(0)
    .max(20)
    .default(2)
    .describe('Max retries of a request; only calls that made no image are retried'),
  onUnknownOutcome: z
    .enum(['stop', 'retry'])
    .default('stop')
    .describe('retry: retry once when the outcome is unknown, although both calls may be billed'),
  partialSuccess: z
    .literal('deliver')
    .exactOptional()
    .describe('deliver: return images although others of the same request failed'),
};

/** The keys of a model beside its targets. */
export const modelKeysSchema = z.strictObject(modelShape);

/** A model whose `targets` have the given schema. */
export function longModelSchema<Target extends z.ZodType>(target: Target) {
  return z.strictObject({ ...modelShape, targets: z.array(target).min(1) });
}

/** Where requests of the Responses API are forwarded. */
export const responsesSchema = z.strictObject({
  target: z.strictObject({
    ...connectionKeys,
    baseURL: z.string().describe('Address of the Azure resource, which may end in /openai/v1'),
  }),
  imageModel: printableName
    .exactOptional()
    .describe('Model or alias whose deployment the image tool of chat models calls'),
});

const perMinute = z.int().min(1).max(1_000_000).exactOptional();

/** What a quota allows. */
const quotaSchema = z.strictObject({
  requestsPerMinute: perMinute.describe('Max requests a minute; without it, the gateway learns from 429 responses'),
  imagesPerMinute: perMinute.describe('Max images a minute'),
});

/** The whole file with models of the given schema. */
export function fileSchema<Model extends z.ZodType>(model: Model) {
  return z.strictObject({
    $schema: z.string().exactOptional(),
    defaultModel: printableName.exactOptional().describe('Model or alias of requests without a model'),
    aliases: z.record(printableName, printableName).exactOptional().describe('Other names of models: alias → model'),
    models: z.record(printableName, model).meta({ minProperties: 1, description: 'Models by name' }),
    imageUrls: z
      .enum(['refuse', 'download'])
      .default('refuse')
      .describe('Edits whose images are URLs: refuse them, or download from any public host'),
    responses: responsesSchema
      .exactOptional()
      .describe('Forwards requests of the Responses API to one Azure v1 resource; without it, none are forwarded'),
    egressProxy: z
      .string()
      .exactOptional()
      .describe('Proxy for https calls, e.g. http://proxy.example.com:3128, with user and password if it needs them'),
    currency: currencySchema,
    prices: z
      .union([z.literal('list'), z.record(printableName, priceSchema)], 'must be "list", or an object')
      .exactOptional()
      .describe('Prices of calls, by the `model` of their target; list: the list prices of Azure, as estimates'),
    quotas: z
      .record(printableName, quotaSchema)
      .exactOptional()
      .describe('Quotas of Azure that several targets share, by names that targets have as their `quota`'),
    limits: z
      .strictObject({
        inFlight: z.int().min(1).max(10_000).exactOptional().describe('Max requests in flight'),
        heldBytes: z
          .int()
          .min(16 * 1024 * 1024)
          .max(64 * 1024 * 1024 * 1024)
          .exactOptional()
          .describe('Max memory of all requests in flight, in bytes'),
        queueMs: z
          .int()
          .min(0)
          .max(300_000)
          .exactOptional()
          .describe('Max time a request waits in the queue, in milliseconds'),
        lingerMs: z
          .int()
          .min(0)
          .max(300_000)
          .exactOptional()
          .describe('How long an equal request can rejoin a call whose client has disconnected, in milliseconds'),
        uploadBytes: z
          .int()
          .min(1_000_000)
          .max(1_000_000_000)
          .exactOptional()
          .describe('Max body size of an edit, in bytes'),
        drainMs: z
          .int()
          .min(0)
          .max(3_600_000)
          .exactOptional()
          .describe('How long a shutdown waits for requests in flight, in milliseconds'),
        keepHours: z
          .int()
          .min(1)
          .max(720)
          .exactOptional()
          .describe('How long stored images can be retrieved, in hours'),
        storeBytes: z
          .int()
          .min(100_000_000)
          .exactOptional()
          .describe('Max size of all stored images, in bytes; above it images are evicted'),
      })
      .exactOptional(),
  });
}
