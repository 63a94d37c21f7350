import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { repeatedMember } from '../codec/json-text.ts';
import { GatewayError } from '../domain/gateway-error.ts';

type BodyRules = {
  /** A body may take so long, and a second more for each megabyte that has come. */
  readonly graceMs: number;
  /** Counts what comes, in bytes; throws a GatewayError when it is too much. */
  readonly receive: ((bytes: number) => void) | undefined;
};

const bytesPerSecond = 1_000_000;

/** The longest that a body of so many bytes can take. */
export function maxBodyMs(bytes: number, graceMs: number): number {
  return graceMs + (bytes / bytesPerSecond) * 1000;
}

/**
 * Watches a request's body, whoever reads it: calls `fail` when it is too slow or too much. Returns what ends the watch. The
 * reader has to be attached in the same tick, because the body begins to flow.
 */
export function watchBody(
  raw: IncomingMessage,
  { graceMs, receive }: BodyRules,
  fail: (error: unknown) => void,
): () => void {
  const startedAt = performance.now();
  let received = 0;
  const onData = (chunk: Buffer) => {
    received += chunk.length;
    try {
      receive?.(chunk.length);
    } catch (error) {
      fail(error);
    }
  };
  const onTime = () => {
    if (raw.complete) return;
    const leftMs = maxBodyMs(received, graceMs) - (performance.now() - startedAt);
    if (leftMs <= 0) fail(new GatewayError('request_timeout', "The request's body took too long to arrive."));
    else timer = setTimeout(onTime, leftMs);
  };
  let timer = setTimeout(onTime, graceMs);
  raw.on('data', onData);
  return () => {
    clearTimeout(timer);
    raw.off('data', onData);
  };
}

/**
 * Refuses a request whose body is too slow, or needs more memory than there is. To be registered last: nothing may come
 * between the watch and the parser.
 */
export function refuseSlowBodies(app: FastifyInstance, graceMs: number): void {
  // With a callback, not a promise, so that the parser begins to read in the same tick as the watch.
  app.addHook('preParsing', ({ raw, arrival }, reply, _payload, done) => {
    // Most bodies have come with their headers.
    if (!raw.complete) {
      const endWatch = watchBody(raw, { graceMs, receive: arrival?.receive }, (error) => {
        endWatch();
        // The parser would go on to collect what is only read to be thrown away.
        raw.removeAllListeners('data');
        if (!reply.sent) reply.header('connection', 'close').send(error);
      });
      raw.once('end', endWatch);
      reply.raw.once('close', endWatch);
    }
    done();
  });
}

/** Parses the JSON body of a request whole. It says what its bytes say, or is refused with a GatewayError. */
export function jsonBodyParser(app: FastifyInstance) {
  const parse = app.getDefaultJsonParser('error', 'error');
  return (request: FastifyRequest, body: Buffer, done: (error: Error | null, value?: unknown) => void): void => {
    const contentType = request.headers['content-type'];
    const charsetError = contentType === 'application/json' ? undefined : charsetProblem(contentType);
    if (charsetError || !isUtf8(body)) {
      done(charsetError ?? notUtf8());
      return;
    }
    const text = body.toString();
    parse(request, text, (error, value) => {
      const repeated = error ? undefined : repeatedMember(text);
      done(repeated ? givenTwice(repeated.join('.')) : error, value);
    });
  };
}

/** The name is shown only when it looks like one: clients send what they like. */
function givenTwice(name: string): GatewayError {
  return /^[A-Za-z0-9_.[\]-]{1,64}$/.test(name)
    ? new GatewayError('invalid_value', `'${name}' is given twice.`, { param: name })
    : new GatewayError('invalid_value', "A member of the request's body is given twice.");
}

/** Passes a body on while it arrives. Throws a GatewayError at the first byte that is not UTF-8. */
export async function* utf8Only(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let cut: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    const bytes = cut.length === 0 ? chunk : Buffer.concat([cut, chunk]);
    const end = bytes.length - cutBytes(bytes);
    if (!isUtf8(bytes.subarray(0, end))) throw notUtf8();
    cut = bytes.subarray(end);
    yield chunk;
  }
  if (cut.length > 0) throw notUtf8();
}

/** How many bytes at the end begin a character that goes on in the next chunk. */
function cutBytes(bytes: Buffer): number {
  const last = bytes.subarray(-3);
  const start = last.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  const length = start === -1 ? 0 : sequenceLength(last[start] as number);
  return length > last.length - start ? last.length - start : 0;
}

function sequenceLength(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}

function notUtf8(): GatewayError {
  return new GatewayError('invalid_json', "The request's body is not valid UTF-8.");
}

/** Throws a GatewayError for a content type that declares another charset than UTF-8, of which ASCII is a part. */
export function checkCharset(contentType?: string): void {
  const problem = charsetProblem(contentType);
  if (problem) throw problem;
}

/** The error of {@link checkCharset}. */
export function charsetProblem(contentType = ''): GatewayError | undefined {
  const declared = contentType.matchAll(/;\s*charset\s*=\s*(?:["']([^"']*)["']|([^;\s]*))/gi);
  for (const [, quoted, plain = ''] of declared) {
    const charset = quoted ?? plain;
    if (/^(?:utf[-_]?8|(?:us-)?ascii)?$/i.test(charset)) continue;
    const shown = /^[A-Za-z0-9_.:-]{1,40}$/.test(charset) ? ` '${charset}'` : '';
    return new GatewayError('unsupported_content_type', `The charset${shown} is not supported: text must be UTF-8.`);
  }
  return undefined;
}

/** For routes that have no use for a body, which some clients send all the same, and some announce without sending one. */
export function ignoreBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    done(null);
  });
}
