import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { overloaded, type Release } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { Admission } from '../generations/admission.ts';
import { rateLimitHeaders } from './gateway-headers.ts';
import { hasIdempotencyKey } from './idempotency-key.ts';
import type { ConsumerUsage } from './keys/consumer-usage.ts';
import type { KeyStore } from './keys/key-store.ts';

/** All clients are one consumer where no key is needed; no key has this name. */
const anybody = '*';

/** Refuses requests without a valid key before their body is read: a stranger's megabytes are not worth receiving. */
export function requireKey(app: FastifyInstance, keyStore: KeyStore): void {
  app.addHook('onRequest', async (request) => {
    const consumer = authenticate(keyStore, request.headers);
    request.consumer = consumer;
    request.consumerId = consumer?.name ?? anybody;
    if (consumer) request.record.key = consumer.name;
  });
}

/**
 * The consumer whose key is in `authorization: Bearer`, `api-key` or `x-api-key`; several may be present, and one must be
 * valid. `undefined`: no key is needed. Throws `invalid_api_key`.
 */
export function authenticate(keyStore: KeyStore, headers: IncomingHttpHeaders): ConsumerUsage | undefined {
  if (keyStore.isOpen) return undefined;
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  const candidates = [bearer, headers['api-key'], headers['x-api-key']];
  const presented = candidates.filter((key): key is string => typeof key === 'string' && key !== '');
  const found = presented.map((key) => keyStore.find(key)).filter((entry) => entry !== undefined);
  const valid = found.find(({ isExpired }) => !isExpired);
  if (valid !== undefined) return valid.consumer;
  throw new GatewayError('invalid_api_key', found.length > 0 ? expired : presented.length > 0 ? wrong : missing);
}

/** Whether a request may see what concerns all consumers: with a key of an administrator, or where no key is needed. */
export function isAdmin({ consumer }: FastifyRequest): boolean {
  return consumer === undefined || consumer.isAdmin;
}

const expired = 'The API key has expired.';
const wrong = 'The API key is not valid.';
const missing = "No API key was given: send it as 'authorization: Bearer KEY', 'api-key: KEY' or 'x-api-key: KEY'.";

const megabyte = 1024 * 1024;

/**
 * Before the body is read, refuses what the consumer's limits or the process have no room for, and reports in headers what is
 * left. The permits of a request are acquired when its generation starts, and belong to that.
 */
export function admitRequests(
  app: FastifyInstance,
  admission: Admission,
  mayRejoin: (consumerId: string) => boolean,
): void {
  app.addHook('onRequest', async (request, reply) => {
    const { consumer, consumerId, method } = request;
    if (method !== 'POST') return;
    // A repeated request needs no permits of its own, and only its body shows that it is one.
    const mayRepeat = hasIdempotencyKey(request.raw) || mayRejoin(consumerId);
    if (consumer !== undefined) {
      await reportUsage(reply, consumer, 'images');
      if (consumer.isBusy && !mayRepeat) {
        await reportUsage(reply, consumer, 'requests');
        throw consumer.tooManyAtOnce();
      }
      request.quota = await consumer.countRequest();
      if (request.quota) reply.headers(rateLimitHeaders('requests', request.quota.usage));
      if (request.quota?.refusal && !hasIdempotencyKey(request.raw)) throw request.quota.refusal;
    }
    request.bodyBytes = Number(request.headers['content-length'] ?? megabyte);
    if (admission.isFullFor(consumerId, request.bodyBytes) && !mayRepeat) throw overloaded();
    request.arrival = admission.arrive(consumerId);
    releaseAtClose(reply.raw, request.arrival.release);
  });
}

async function reportUsage(reply: FastifyReply, consumer: ConsumerUsage, what: 'requests' | 'images'): Promise<void> {
  const usage = await consumer.usage(what);
  if (usage !== undefined) reply.headers(rateLimitHeaders(what, usage));
}

/** Releases when the connection of a response closes; at once where it has closed, because it does not say so again. */
export function releaseAtClose(response: ServerResponse, release: Release): void {
  if (response.destroyed) release();
  else response.once('close', release);
}
