import { z } from 'zod';
import { spendKeys } from '../../../domain/ledger.ts';
import { type DescribedPath, describePath, type JsonSchema, jsonSchema } from '../../openapi/describe.ts';
import { headerLinks } from '../../openapi/headers.ts';
import { keyedResponses } from '../../openapi/responses.ts';
import { maxDays } from './spend-query.ts';
import { spendUrl } from './spend-route.ts';

const count = z.int().min(0);
const date = z.iso.date();

const sums = {
  currency: z.string(),
  calls: count.describe('Paid calls, retries among them.'),
  images: count,
  text_in_tokens: count,
  image_in_tokens: count,
  cached_in_tokens: count.describe('Those among the two above that had been read before.'),
  text_out_tokens: count,
  image_out_tokens: count,
  cost: z.number().min(0).describe('What is known.'),
  estimated_cost: z.number().min(0).describe('Of that, what was counted with list prices.'),
  assumed_cost: z.number().min(0).describe('Counted against a budget for calls whose cost is not known.'),
  unpriced_calls: count.describe('Calls that made images whose price is not known.'),
  unknown_outcomes: count.describe('Calls that may have been billed without an image that was seen.'),
};

const keys = { consumer: z.string(), model: z.string(), target: z.string(), day: date };

export const spendSchemas: Readonly<Record<string, JsonSchema>> = {
  Spend: jsonSchema(
    z.object({
      object: z.literal('list'),
      from: date,
      to: date,
      by: z.array(z.enum(spendKeys)),
      currency: z.string().describe('Of the prices in force.'),
      data: z.array(z.object({ ...z.object(keys).partial().shape, ...sums })),
      totals: z.array(z.object(sums)).describe('One for each currency.'),
    }),
  ),
};

export const spendResponses: Readonly<Record<string, JsonSchema>> = {
  Spend: {
    description: 'What was spent.',
    headers: headerLinks(['cache-control']),
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Spend' } }, 'text/csv': {} },
  },
};

const query = (name: string, description: string, schema: JsonSchema = { type: 'string' }) => ({
  ...{ name, in: 'query', description, schema },
});

const day: JsonSchema = { type: 'string', format: 'date' };

/** What the document says about this route. */
export const spendPaths: readonly DescribedPath[] = [
  describePath(spendUrl, {
    get: {
      operationId: 'getSpend',
      tags: ['operation'],
      summary: 'Sums up what was spent: of the own consumer, or of all with a key of an administrator',
      parameters: [
        query('from', 'The first day in UTC, by default that of the month.', day),
        query('to', `The last day in UTC, by default today; at most ${maxDays} days.`, day),
        query('by', `Some of ${spendKeys.join(', ')}; by default \`consumer,day\`.`),
        query('consumer', 'Of this consumer only.'),
        query('format', 'As `accept` says by default.', { enum: ['json', 'csv'] }),
      ],
      responses: keyedResponses('Spend'),
    },
  }),
];
