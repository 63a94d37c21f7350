import type { FastifyInstance, FastifyRequest } from 'fastify';
import { repeatedMember } from '../codec/json-text.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { checkCharset, decodeUtf8, notUtf8 } from './text-encoding.ts';

/** Parses the JSON body of a request whole. It says what its bytes say, or is refused with a GatewayError. */
export function jsonBodyReader(app: FastifyInstance): (request: FastifyRequest, body: Buffer) => Promise<unknown> {
  const parse = app.getDefaultJsonParser('error', 'error');
  return async (request, body) => {
    checkCharset(request.headers['content-type']);
    const text = decodeUtf8(body);
    if (text === undefined) throw notUtf8();
    const value = await new Promise((resolve, reject) => {
      parse(request, text, (error, parsed) => (error ? reject(error) : resolve(parsed)));
    });
    refuseRepeatedMembers(text);
    return value;
  };
}

/** Shown only when it looks like a name: callers make up what they like. */
function refuseRepeatedMembers(text: string): void {
  const path = repeatedMember(text);
  if (path === undefined) return;
  const name = path.join('.');
  if (!/^[A-Za-z0-9_.[\]-]{1,64}$/.test(name)) {
    throw new GatewayError('invalid_value', "A member of the request's body is given twice.");
  }
  throw new GatewayError('invalid_value', `'${name}' is given twice.`, { param: name });
}
