import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { Agent, type Dispatcher, Pool } from 'undici';
import type { EgressProxy } from '../domain/egress-proxy.ts';
import type { Attempt, ProviderCall } from '../domain/image-provider.ts';
import type { Credential, Renewal } from './credential.ts';
import { egressConnector } from './egress-connector.ts';
import { exchange, type HttpRequest, type HttpResponse } from './exchange.ts';
import { inflateBody } from './inflate-body.ts';
import { paidCallError } from './paid-call-error.ts';
import { rateLimitFacts } from './rate-limit-headers.ts';

export type UpstreamResponse = HttpResponse & {
  /** The credential was not accepted: when a call would show another one. */
  readonly renewal?: Renewal;
};

/** The body of a paid POST. It can be sent any number of times. */
export type PaidBody = {
  readonly contentType: string;
  /** In bytes. */
  readonly length: number;
  /** A stream opens nothing that must be closed before its first byte is read: a call may end before that. */
  readonly content: Buffer | (() => Readable);
};

/** A JSON body without images. */
export function jsonBody(value: unknown): PaidBody {
  const content = Buffer.from(JSON.stringify(value));
  return { contentType: 'application/json', length: content.length, content };
}

export type PaidRequest = {
  readonly credential: Credential;
  readonly body: PaidBody;
  /** What the protocol says beside the body. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An event stream may be silent from its headers to the first image: only the deadline ends it. */
  readonly isStream?: boolean;
};

/** A client's request that is passed on: its body can be sent once, while it arrives. */
export type ForwardedRequest = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly credential: Credential;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Buffer> | undefined;
  readonly signal: AbortSignal;
  readonly attempt: Attempt;
};

export type FreeRequest = { readonly credential: Credential; readonly signal: AbortSignal };

/** Sends requests to configured upstreams. Redirects are responses like any other: none is ever followed. */
export interface UpstreamClient {
  /**
   * A POST that may create, and bill, images. Awaits `call.dispatch()` when everything else is ready, and sends nothing when
   * that rejects. Sets `call.attempt.sent`; rejects with a GatewayError.
   */
  post(url: URL, request: PaidRequest, call: ProviderCall): Promise<UpstreamResponse>;
  /** One request, never repeated, on a connection of its own. Sets `attempt`; rejects with whatever broke it. */
  forward(url: URL, request: ForwardedRequest): Promise<UpstreamResponse>;
  /** A GET that may be repeated; rejects with whatever broke it. */
  get(url: URL, request: FreeRequest): Promise<UpstreamResponse>;
  /** A POST that ends a job and costs nothing. Nobody waits for it, and nothing depends on it. */
  cancel(url: URL, credential: Credential): void;
  close(): Promise<void>;
}

/** How long an upstream may be silent, in milliseconds. Shortened in tests. */
export type UpstreamTimes = {
  /** Connecting includes TLS, and the way through a proxy. */
  readonly connectMs: number;
  /** An idle body is cut after this long; the request's deadline is what bounds the whole call. */
  readonly bodyIdleMs: number;
  /** The same for forwarded requests, from their last byte on: nothing else bounds them, and a chat model may think for long. */
  readonly forwardIdleMs: number;
};

const defaultTimes: UpstreamTimes = { connectMs: 5_000, bodyIdleMs: 60_000, forwardIdleMs: 600_000 };

/** Settings that every agent for upstreams needs; undici's own defaults would lose paid responses. */
export const agentDefaults = {
  // One reset of a shared HTTP/2 connection would take every paid call on it.
  allowH2: false,
  // The deadline decides how long a silent upstream is waited for; undici's 300 s would end calls that still run.
  headersTimeout: 0,
  bodyTimeout: defaultTimes.bodyIdleMs,
  // Azure's header blocks can exceed the default of 16 KiB, and the response was already paid for.
  maxHeaderSize: 64 * 1024,
} as const;

/** @param proxy through which calls by https go; the environment's own proxies are never asked */
export function createUpstreamClient(times: Partial<UpstreamTimes> = {}, proxy?: EgressProxy): UpstreamClient {
  const { connectMs, bodyIdleMs, forwardIdleMs } = { ...defaultTimes, ...times };
  // A kept-alive socket may close under a request, which leaves a paid call's outcome unknown: each one dials anew.
  const connect = egressConnector(proxy, connectMs);
  const paid = new OriginPools({ ...agentDefaults, pipelining: 0, connect });
  const polls = new Agent({ ...agentDefaults, bodyTimeout: bodyIdleMs, connect });
  const cancelling = new Set<Promise<unknown>>();

  /** Shows the credential, and notes whether another one would help. */
  async function send(
    dispatcher: Dispatcher,
    { credential, headers, body, call, attempt = call?.attempt, ...options }: Sending,
  ): Promise<UpstreamResponse> {
    const { signal } = options;
    const shown = await credential.show(signal);
    if (call) {
      signal.throwIfAborted();
      await call.dispatch();
    }
    const response = await exchange(dispatcher, {
      ...options,
      headers: { ...defaultHeaders, ...headers, ...shown.header },
      ...(body && { body: contentOf(body) }),
      attempt,
    });
    if (attempt) noteResponse(attempt, response);
    const renewal = response.status === 401 ? shown.refused() : undefined;
    const encoding = response.headers['content-encoding'];
    return {
      ...response,
      ...(encoding !== undefined && { body: inflateBody(response.body, encoding) }),
      ...(renewal && { renewal }),
    };
  }

  return {
    async post(url, { credential, body, headers, isStream = false }, call) {
      const { signal, attempt } = call;
      try {
        return await send(paid.of(url.origin), {
          url,
          method: 'POST',
          credential,
          headers: {
            ...headers,
            ...traceOf(attempt),
            'content-type': body.contentType,
            'content-length': String(body.length),
          },
          body,
          signal,
          call,
          bodyTimeout: isStream ? 0 : bodyIdleMs,
        });
      } catch (error) {
        throw paidCallError(error, attempt);
      }
    },
    forward(url, { headers, attempt, ...request }) {
      const idle = { headersTimeout: forwardIdleMs, bodyTimeout: forwardIdleMs };
      return send(paid.of(url.origin), {
        ...request,
        ...idle,
        url,
        attempt,
        headers: { ...headers, ...traceOf(attempt) },
      });
    },
    get: (url, request) => send(polls, { url, method: 'GET', ...request }),
    cancel(url, credential) {
      const signal = AbortSignal.timeout(cancelMs);
      const done = send(polls, { url, method: 'POST', credential, signal })
        .then(({ body }) => body.destroy())
        .catch(() => {})
        .finally(() => cancelling.delete(done));
      cancelling.add(done);
    },
    async close() {
      // Calls that end in this moment have jobs to end.
      await setImmediate();
      await Promise.all(cancelling);
      await Promise.all([paid.destroy(), polls.destroy()]);
    },
  };
}

type Sending = Omit<HttpRequest, 'headers' | 'body' | 'attempt'> & {
  readonly credential: Credential;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: PaidBody | AsyncIterable<Buffer> | undefined;
  readonly attempt?: Attempt | undefined;
  /** Of a paid request: its journal is awaited immediately before it leaves. */
  readonly call?: ProviderCall;
};

function contentOf(body: PaidBody | AsyncIterable<Buffer>): NonNullable<HttpRequest['body']> {
  // undici takes any iterable; its types know of streams only.
  if (!('content' in body)) return body as Readable;
  return typeof body.content === 'function' ? body.content() : body.content;
}

function traceOf({ traceparent }: Attempt): Record<string, string> {
  return traceparent === undefined ? {} : { traceparent };
}

function noteResponse(attempt: Attempt, { status, headers }: HttpResponse): void {
  attempt.status = status;
  const quota = rateLimitFacts(headers);
  if (quota) attempt.quota = quota;
  const id = headers['apim-request-id'] ?? headers['x-ms-request-id'] ?? headers['x-request-id'];
  if (typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id)) attempt.upstreamRequestId = id;
}

/** The job is of no use any more: an upstream that does not respond must not hold anything up. */
const cancelMs = 2_000;

const defaultHeaders = {
  accept: 'application/json',
  'accept-encoding': 'identity',
  'user-agent': 'azure-image-gateway',
};

/**
 * A pool of connections for each origin, kept for as long as the process lives: undici's own Agent takes one down with its
 * last connection, which here is the end of each response, and builds the next one anew. What is kept beside the connections
 * is as much as calls have run at once.
 */
class OriginPools {
  readonly #options: Pool.Options;
  readonly #pools = new Map<string, Pool>();
  #isDestroyed = false;

  constructor(options: Pool.Options) {
    this.#options = options;
  }

  of(origin: string): Pool {
    const known = this.#pools.get(origin);
    if (known) return known;
    const pool = new Pool(origin, this.#options);
    this.#pools.set(origin, pool);
    if (this.#isDestroyed) void pool.destroy();
    return pool;
  }

  /** Breaks every call off; none begins any more. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }
}
