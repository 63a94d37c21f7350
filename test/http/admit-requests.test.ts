import Fastify, { type FastifyError } from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import type { KeyLimits } from '../../src/domain/consumer.ts';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { Admission } from '../../src/generations/admission.ts';
import { admitRequests } from '../../src/http/access.ts';
import { ConsumerUsage } from '../../src/http/keys/consumer-usage.ts';
import { consumer } from './keys/consumer.ts';

const room = { inFlight: 10, heldBytes: 1e9, queueMs: 1 };

type Rig = { readonly limits?: Partial<KeyLimits>; readonly mayRejoin?: boolean };

/** A server whose one route tells what would be refused later. */
function startRig({ limits = {}, mayRejoin = false }: Rig) {
  const usage = new ConsumerUsage(consumer('team', ['key'], { limits }));
  const admission = new Admission(room);
  const app = Fastify();
  onTestFinished(() => app.close());
  for (const name of ['consumer', 'quota', 'arrival']) app.decorateRequest(name, undefined);
  app.decorateRequest('consumerId', 'team');
  app.decorateRequest('bodyBytes', 0);
  app.addHook('onRequest', async (request) => {
    request.consumer = usage;
  });
  app.setErrorHandler((error: FastifyError, _request, reply) =>
    reply.code(503).send(error instanceof GatewayError ? error.kind : error.message),
  );
  admitRequests(app, admission, () => mayRejoin);
  app.post('/', async ({ quota }) => quota?.refusal?.kind ?? 'admitted');
  const post = async (headers = {}) => {
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/', headers, payload: {} });
    return `${statusCode} ${body}`;
  };
  return { usage, admission, post };
}

const keyed = { 'idempotency-key': 'k' };

test.each([
  ['without a key', {}, false, '503 rate_limited', '503 overloaded'],
  ['that may rejoin', {}, true, '200 admitted', '200 admitted'],
  ['with an Idempotency-Key', keyed, false, '200 admitted', '200 admitted'],
  ['with an invalid key, which is refused later', { 'idempotency-key': '' }, false, '200 admitted', '200 admitted'],
])(
  'a request %s, while its consumer is busy, and while the process is full',
  async (_, headers, rejoins, busy, full) => {
    const one = startRig({ limits: { concurrent: 1 }, mayRejoin: rejoins });
    const permit = one.usage.acquire();
    expect(await one.post(headers)).toBe(busy);
    permit.release();
    expect(await one.post(headers)).toBe('200 admitted');

    const other = startRig({ mayRejoin: rejoins });
    other.admission.resize({ ...room, inFlight: 0 });
    expect(await other.post(headers)).toBe(full);
    other.admission.resize(room);
    expect(await other.post(headers)).toBe('200 admitted');
  },
);

test.each([
  ['without a key is refused before its body', {}, false, '503 rate_limited'],
  ['that may rejoin is refused all the same', {}, true, '503 rate_limited'],
  ['with an Idempotency-Key is refused only when a job is to begin', keyed, false, '200 rate_limited'],
])('a request beyond the quota %s', async (_, headers, mayRejoin, expected) => {
  const { post, usage } = startRig({ limits: { requests: 1, windowMs: 60_000 }, mayRejoin });
  expect(await post(headers)).toBe('200 admitted');
  expect(await post(headers)).toBe(expected);
  expect(await usage.usage('requests')).toMatchObject({ remaining: 0 });
});
