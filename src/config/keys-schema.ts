import { z } from 'zod';

/** What names of callers look like: they stand in logs and metrics. */
export const consumerNameRule =
  'must be 1 to 64 letters, digits, dots, underscores or dashes, beginning with a letter or digit';
export const consumerName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const timeRule =
  'must be a day such as 2027-01-31, which begins at midnight UTC, or a time such as 2027-01-31T18:00:00Z';

const key = z.strictObject({
  sha256: z
    .string()
    .regex(/^[0-9A-Fa-f]{64}$/, 'must be the SHA-256 of a key, 64 hexadecimal digits; `npm run key` makes both')
    .exactOptional()
    .describe('SHA-256 of the whole key, as hexadecimal digits'),
  key: z
    .string()
    .regex(/^[!-~]+$/, 'must be visible ASCII characters without blanks')
    .exactOptional()
    .describe('The key itself, in place of its sha256; better not'),
  expires: z
    .string()
    .refine(isTime, timeRule)
    .exactOptional()
    .describe('From then on the key is not valid any more: a day, which begins at midnight UTC, or a time with a zone'),
});

const limits = z.strictObject({
  requests: z.int().min(1).max(1_000_000).exactOptional().describe('Requests for images in one window'),
  images: z.int().min(1).max(1_000_000).exactOptional().describe('Images that are asked for in one window'),
  windowMs: z
    .int()
    .min(1_000)
    .max(86_400_000)
    .exactOptional()
    .describe('How long a window lasts, in milliseconds; by default a minute'),
  concurrent: z.int().min(1).max(10_000).exactOptional().describe('Requests for images at once'),
});

/** One entry of `callers`. */
export const consumerSchema = z.strictObject({
  keys: z.array(key).min(1).describe('The keys of this caller: one, or two while one takes the place of the other'),
  models: z
    .array(z.string())
    .min(1)
    .exactOptional()
    .describe('Models or aliases that it may use; without it, all. The others do not exist for it'),
  limits: limits.exactOptional().describe('What all keys of this caller together may use; without it, anything'),
});

/** The whole file with callers of the given schema. */
export function keysFileSchema<Caller extends z.ZodType>(caller: Caller) {
  return z.strictObject({
    $schema: z.string().exactOptional(),
    callers: z.record(z.string(), caller).meta({
      minProperties: 1,
      propertyNames: { pattern: consumerName.source },
      description: 'Who may call, by the name that logs and metrics show',
    }),
  });
}

/** Also refuses days that no month has. */
function isTime(text: string): boolean {
  return z.iso.date().safeParse(text).success || z.iso.datetime({ offset: true }).safeParse(text).success;
}

const minKeyLength = 16;

export const shortKeyProblem = `has fewer than ${minKeyLength} characters and can be guessed: \`npm run key\` makes a good one`;

/** Whether a key that callers show is so short that somebody who tries many finds it. */
export function isShortKey(key: string): boolean {
  return key.length < minKeyLength;
}
