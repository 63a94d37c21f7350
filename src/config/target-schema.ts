import { z } from 'zod';
import type { Dialect } from '../domain/dialect.ts';
import { printableName } from '../domain/printable-name.ts';
import { capabilitiesSchema } from './capabilities-schema.ts';
import { priceSchema } from './price-schema.ts';

/** How an address of Azure is reached: the same keys wherever a file names one. */
export const connectionKeys = {
  baseURL: z.string().describe('Address of the Azure resource, or of the deployment for azure-deployment'),
  apiKey: z
    .string()
    .min(1)
    .regex(/^[!-~]*$/, 'must hold visible ASCII characters only; check for blanks and line breaks')
    .exactOptional()
    .describe('The key of the Azure resource, best taken from a variable'),
  auth: z
    .strictObject({
      entra: z.strictObject({
        scope: z
          .string()
          .regex(
            /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[!-~]+\/\.default$/,
            'must be a scope such as https://ai.azure.com/.default',
          )
          .describe(
            'What the token is for: https://cognitiveservices.azure.com/.default, or https://ai.azure.com/.default',
          ),
      }),
    })
    .exactOptional()
    .describe('Instead of apiKey: tokens of Microsoft Entra ID, by the identity that the process has'),
  headers: z
    .record(z.string(), z.string())
    .exactOptional()
    .describe('Further headers of all calls to the target, such as the key of a front door; best taken from variables'),
};

const aDay = 'a date such as 2027-04-21';
const dayOrNever = `must be ${aDay}, or "never"`;

const common = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, underscores or dashes')
    .exactOptional()
    .describe('How logs and the x-gateway-target header call this target; its position when left out'),
  priority: z.int().min(0).max(1_000_000).default(0).describe('Targets with a lower number are tried first'),
  weight: z.int().min(1).max(1000).default(1).describe('Share among the targets of one priority'),
  model: printableName.describe('The model family: what the deployment is, e.g. gpt-image-2'),
  retires: z
    .union([z.string().regex(z.regexes.date, dayOrNever), z.literal('never')], dayOrNever)
    .exactOptional()
    .describe('When Azure retires the model, instead of the date that is known; from then on the target is tried last'),
  replacedBy: z
    .strictObject({
      target: z.string().describe('The name of another target of the model'),
      from: z.string().regex(z.regexes.date, `must be ${aDay}`).describe('The first day, in UTC'),
    })
    .exactOptional()
    .describe('Another target that has the priority of this one from a day on; this one is tried last then'),
  ...connectionKeys,
  quota: printableName.exactOptional().describe('The quota in `quotas` that its calls are counted against'),
  maxConcurrent: z.int().min(1).max(10_000).exactOptional().describe('Calls that may run at once at this target'),
  downloadOrigins: z
    .array(z.string().refine(isOrigin, 'must be an origin such as https://files.example.com, without a path'))
    .default([])
    .describe('Further origins from which result images may be downloaded'),
  upstreamStream: z
    .enum(['never', 'always'])
    .default('never')
    .describe(
      'always: a single image is streamed from Azure even for callers that want none; its partial image is billed',
    ),
  capabilities: capabilitiesSchema.exactOptional(),
  price: priceSchema.exactOptional().describe('What calls of this target cost, instead of what `prices` says'),
};

/** A target that passed its schema, before its address is worked out; the keys of its dialect stand beside these. */
export type TargetEntry = z.output<z.ZodObject<typeof common>> & { readonly provider: string };

/** What a target of a dialect may hold; unknown keys are refused. Its `baseURL` is checked by the dialect. */
export function targetSchema({ id, schema }: Dialect) {
  return z.strictObject({ provider: z.literal(id), ...common, ...schema.shape });
}

/** For a target with an unknown provider: its other mistakes are to be reported in the same run. */
export function anyTargetSchema(dialects: readonly Dialect[]) {
  const keys = Object.fromEntries(dialects.flatMap(({ schema }) => Object.entries(schema.shape)));
  const optional = Object.entries(keys).map(([name, key]) => [name, z.exactOptional(withoutDefault(key))]);
  return z.strictObject({
    // It is reported already, with the known ones.
    provider: z.unknown().optional(),
    ...common,
    ...Object.fromEntries(optional),
  });
}

function withoutDefault(key: z.core.$ZodType): z.core.$ZodType {
  return key instanceof z.ZodDefault || key instanceof z.ZodExactOptional ? withoutDefault(key.unwrap()) : key;
}

function isOrigin(text: string): boolean {
  return /^https?:\/\/[^/\\?#@*\s]+$/i.test(text) && URL.canParse(text);
}
