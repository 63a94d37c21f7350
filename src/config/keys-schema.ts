import { z } from 'zod';
import { isExactPrice } from '../domain/cost.ts';

/** The form of consumer names, which appear in logs and metrics. */
export const consumerNameRule =
  'must be 1 to 64 letters, digits, dots, underscores or dashes, starting with a letter or digit';
export const consumerName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const timeRule = 'must be a date such as 2027-01-31 (midnight UTC) or a time such as 2027-01-31T18:00:00Z';

const key = z.strictObject({
  sha256: z
    .string()
    .regex(/^[0-9A-Fa-f]{64}$/, 'must be the SHA-256 of a key, 64 hexadecimal digits; `npm run key` creates both')
    .exactOptional()
    .describe('SHA-256 of the whole key, in hexadecimal digits'),
  key: z
    .string()
    .regex(/^[!-~]+$/, 'must be printable ASCII characters without spaces')
    .exactOptional()
    .describe('The key itself; prefer sha256'),
  expires: z
    .string()
    .refine(isTime, timeRule)
    .exactOptional()
    .describe('When the key expires: a date (midnight UTC) or a time with a zone'),
});

const limits = z.strictObject({
  requests: z.int().min(1).max(1_000_000).exactOptional().describe('Max image requests per window'),
  images: z.int().min(1).max(1_000_000).exactOptional().describe('Max requested images per window'),
  windowMs: z
    .int()
    .min(1_000)
    .max(86_400_000)
    .exactOptional()
    .describe('Length of the window, in milliseconds; one minute by default'),
  concurrent: z.int().min(1).max(10_000).exactOptional().describe('Max concurrent image requests'),
});

const money = (max: number) => z.number().positive().max(max).refine(isExactPrice, 'must have at most six decimals');

const budget = z.strictObject({
  amount: money(1_000_000_000).describe('How much the consumer may spend in each day or month'),
  currency: z.string().describe('The currency of the models file: nothing is converted'),
  per: z.enum(['day', 'month']).describe('Days and months of UTC'),
  soft: z
    .number()
    .positive()
    .max(1)
    .exactOptional()
    .describe('From this share on, responses and the log warn; they never do by default'),
  maxImageCost: money(1_000_000)
    .exactOptional()
    .describe('What is reserved for an image whose price is not known before it is made'),
});

/** One entry of `callers`. */
export const consumerSchema = z.strictObject({
  keys: z.array(key).min(1).describe('The keys of this consumer: one, or two while one replaces the other'),
  models: z
    .array(z.string())
    .min(1)
    .exactOptional()
    .describe('Models or aliases that the consumer can use; all by default. Others do not exist for it'),
  limits: limits.exactOptional().describe('Limits of all keys of this consumer together; none by default'),
  budget: budget.exactOptional().describe('What all keys of this consumer together may spend; anything by default'),
  role: z
    .enum(['consumer', 'admin'])
    .exactOptional()
    .describe('`admin` sees what all consumers have spent, and the state of the targets; `consumer` by default'),
});

/** The whole file, with consumers of the given schema. */
export function keysFileSchema<Consumer extends z.ZodType>(consumer: Consumer) {
  return z.strictObject({
    $schema: z.string().exactOptional(),
    callers: z.record(z.string(), consumer).meta({
      minProperties: 1,
      propertyNames: { pattern: consumerName.source },
      description: 'Consumers, by the name that logs and metrics show',
    }),
  });
}

/** Also refuses dates that do not exist. */
function isTime(text: string): boolean {
  return z.iso.date().safeParse(text).success || z.iso.datetime({ offset: true }).safeParse(text).success;
}

const minKeyLength = 16;

export const shortKeyProblem = `has fewer than ${minKeyLength} characters and could be guessed; create one with \`npm run key\``;

/** Whether a key is short enough to be guessed. */
export function isShortKey(key: string): boolean {
  return key.length < minKeyLength;
}
