import { z } from 'zod';
import { parameterPolicies } from '../domain/parameter-policy.ts';
import { printableName } from './check-schema.ts';
import { currencySchema, priceSchema } from './price-schema.ts';

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
  timeoutMs: z.int().min(1000).max(900_000).exactOptional().describe('Time one request may take, in milliseconds'),
  defaults: defaults.exactOptional().describe('Parameters for requests that leave them out'),
  parameters: z
    .enum(parameterPolicies)
    .default('adapt')
    .describe('What happens to parameters that the model does not know: adapted or refused, refused, or forwarded'),
  maxRetries: z
    .int()
    .min(0)
    .max(20)
    .default(2)
    .describe('How many failed calls a request may repeat, if nothing was made'),
  onUnknownOutcome: z
    .enum(['stop', 'retry'])
    .default('stop')
    .describe('retry: one call whose outcome is unknown is repeated, although it may be billed twice'),
  partialSuccess: z
    .literal('deliver')
    .exactOptional()
    .describe('deliver: images are delivered although others of the same request failed'),
};

/** The keys of a model beside its targets. */
export const modelKeysSchema = z.strictObject(modelShape);

/** A model whose `targets` have the given schema. */
export function longModelSchema<Target extends z.ZodType>(target: Target) {
  return z.strictObject({ ...modelShape, targets: z.array(target).min(1) });
}

/** The whole file with models of the given schema. */
export function fileSchema<Model extends z.ZodType>(model: Model) {
  return z.strictObject({
    $schema: z.string().exactOptional(),
    defaultModel: printableName.exactOptional().describe('Model or alias for requests that name none'),
    aliases: z.record(printableName, printableName).exactOptional().describe('Further names: alias → name of a model'),
    models: z.record(printableName, model).meta({ minProperties: 1, description: 'The models by name' }),
    imageUrls: z
      .enum(['refuse', 'download'])
      .default('refuse')
      .describe('What happens to edits whose images are links: refused, or downloaded from any public host'),
    egressProxy: z
      .string()
      .exactOptional()
      .describe(
        'Proxy for calls by https, e.g. http://proxy.example.com:3128; with user and password where it wants them',
      ),
    currency: currencySchema,
    prices: z
      .record(printableName, priceSchema)
      .exactOptional()
      .describe('What calls cost, by the `model` of their target'),
    limits: z
      .strictObject({
        inFlight: z.int().min(1).max(10_000).exactOptional().describe('Requests that are worked on at once'),
        heldBytes: z
          .int()
          .min(16 * 1024 * 1024)
          .max(64 * 1024 * 1024 * 1024)
          .exactOptional()
          .describe('Bytes of memory that all requests together may take'),
        queueMs: z
          .int()
          .min(0)
          .max(300_000)
          .exactOptional()
          .describe('How long a request waits for its turn, in milliseconds'),
        lingerMs: z
          .int()
          .min(0)
          .max(300_000)
          .exactOptional()
          .describe('How long a call runs on when its caller has left, so that the same caller can take it over'),
        uploadBytes: z
          .int()
          .min(1_000_000)
          .max(1_000_000_000)
          .exactOptional()
          .describe('The longest body of an edit, in bytes'),
        drainMs: z
          .int()
          .min(0)
          .max(3_600_000)
          .exactOptional()
          .describe('How long a shutdown waits for running requests, in milliseconds'),
      })
      .exactOptional(),
  });
}
