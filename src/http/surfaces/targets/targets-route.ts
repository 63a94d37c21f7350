import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { timeAsText } from '../../../domain/budget.ts';
import { GatewayError } from '../../../domain/gateway-error.ts';
import { breakerStates, type TargetState } from '../../../domain/gateway-state.ts';
import { isAdmin } from '../../access.ts';
import { type DescribedPath, describePath, type JsonSchema, jsonSchema } from '../../openapi/describe.ts';
import { headerLinks } from '../../openapi/headers.ts';
import { keyedResponses } from '../../openapi/responses.ts';
import type { Current } from '../../surface.ts';
import { refuseOtherMethods } from '../../unserved-routes.ts';
import { notCached } from '../jobs/write-job.ts';

const targetsUrl = '/v1/targets';

/** `GET /v1/targets`: the state of every target in this process, for administrators. */
export function targetsRoute(app: FastifyInstance, current: Current): void {
  app.get(targetsUrl, async (request, reply) => {
    if (!isAdmin(request)) throw new GatewayError('not_permitted', refusal);
    const now = Date.now();
    const data = current.config.gateway.state.targets.map((state) => shownTarget(state, now));
    return reply.headers(notCached).send({ object: 'list', data });
  });
  refuseOtherMethods(app, targetsUrl, ['GET', 'HEAD']);
}

const refusal = 'The targets of all models can be seen with a key that has the role `admin` only.';

function shownTarget({ model, target, coolDownMs, retirement, hasEnded, ...state }: TargetState, now: number) {
  const { breaker, calls, waiting } = state;
  const until = coolDownMs === undefined ? null : timeAsText(now + coolDownMs);
  const { date = null, successor = null } = retirement ?? {};
  const place = { retires_on: date, successor, tried_last: hasEnded };
  return { object: 'target', model, target, breaker, cooling_down_until: until, calls, waiting, ...place };
}

const shown = z.object({
  object: z.literal('target'),
  model: z.string(),
  target: z.string(),
  breaker: z.enum(breakerStates),
  cooling_down_until: z.iso
    .datetime()
    .nullable()
    .describe('Until then it is left alone, because it has asked for that.'),
  calls: z.int().min(0).describe('Calls that hold a permit.'),
  waiting: z.int().min(0).describe('Calls that wait for one.'),
  retires_on: z.iso.date().nullable().describe('The day on which Azure retires its model, where that is known.'),
  successor: z.string().nullable().describe('The model to deploy instead.'),
  tried_last: z.boolean().describe('Its model is retired, or another target has replaced it.'),
});

export const targetsSchemas: Readonly<Record<string, JsonSchema>> = {
  TargetList: jsonSchema(z.object({ object: z.literal('list'), data: z.array(shown) })),
};

export const targetsResponses: Readonly<Record<string, JsonSchema>> = {
  Targets: {
    description: 'The targets.',
    headers: headerLinks(['cache-control']),
    content: { 'application/json': { schema: { $ref: '#/components/schemas/TargetList' } } },
  },
};

/** What the document says about this route. */
export const targetsPaths: readonly DescribedPath[] = [
  describePath(targetsUrl, {
    get: {
      operationId: 'listTargets',
      tags: ['operation'],
      summary: 'Lists the targets and their state, with a key of an administrator',
      responses: keyedResponses('Targets'),
    },
  }),
];
