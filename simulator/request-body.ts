import type { FastifyRequest } from 'fastify';

/** The parameters of a request: its parsed JSON body, or the fields of its form. */
export type RequestBody = Readonly<Record<string, unknown>>;

/** Says whether a JSON value is an object, which neither a list nor null is. */
export function isObject(value: unknown): value is RequestBody {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body of a request when it is a JSON object; anything else counts as an empty one, which lacks its prompt. */
export function objectBody({ body }: FastifyRequest): RequestBody {
  return isObject(body) ? body : {};
}
