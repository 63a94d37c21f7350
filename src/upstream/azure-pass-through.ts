import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../domain/gateway-error.ts';
import { imageDeploymentHeader } from '../domain/image-tool.ts';
import type { PassThrough, PassThroughRequest } from '../domain/pass-through.ts';
import { brokenForward } from './broken-forward.ts';
import type { UpstreamClient, UpstreamResponse } from './client.ts';
import type { Credential, Renewal } from './credential.ts';
import { forwardedHeaders, returnedHeaders } from './pass-through-headers.ts';
import { passThroughUrl } from './pass-through-url.ts';
import { peekBody } from './peek-body.ts';
import type { BoundedText } from './read-bounded.ts';

/** A response that is no success, with the beginning of its body. */
export type ErrorResponseHead = BoundedText & {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly renewal?: Renewal | undefined;
};

/** Whose fault an error of Azure is. */
export type ForwardedFault = {
  /** Set where only the operator can mend it: then the client gets this in the place of Azure's error. */
  readonly failure?: GatewayError | undefined;
  /** Azure's own code, for the log. */
  readonly code?: string | undefined;
};

type Options = {
  readonly client: UpstreamClient;
  readonly credential: Credential;
  /** Ends with `/v1`. */
  readonly baseURL: string;
  /** What the image tool of chat models calls; without it, Azure is not told. */
  readonly imageDeployment: string | undefined;
  readonly faultOf: (response: ErrorResponseHead) => ForwardedFault;
};

/** An error object is at most this long, and arrives within this time. */
const errorLimits = { bytes: 64 * 1024, ms: 5_000 };

/** Forwards requests to one v1 resource of Azure. Bodies pass as they come, in both directions. */
export function createPassThrough(options: Options): PassThrough {
  const { client, credential, baseURL, imageDeployment, faultOf } = options;
  return {
    async send(request) {
      const { method, body, signal, call } = request;
      const url = passThroughUrl(baseURL, request);
      const headers = {
        ...forwardedHeaders(request.headers, body !== undefined),
        ...(method === 'POST' && imageDeployment !== undefined && { [imageDeploymentHeader]: imageDeployment }),
      };
      const upload = body && new Upload(body);
      const response = await client
        .forward(url, { method, credential, headers, body: upload, signal, attempt: call })
        .catch((error) => {
          throw upload?.failure ?? brokenForward(error, request);
        });
      if (response.status > 599) throw unknownStatus();
      const received = response.status < 300 ? response.body : await refusedBody(response, request, faultOf);
      const { status } = response;
      return { status, headers: returnedHeaders(response.headers), body: explaining(received, request) };
    },
  };
}

/** No client could be sent it. */
function unknownStatus(): GatewayError {
  const message = 'Azure responded with no status of HTTP. The request may have been carried out and billed.';
  return new GatewayError('upstream_invalid_response', message, { outcome: 'unknown' });
}

/** The body of an error that its client may see. Throws the failure of one that is the operator's to mend. */
async function refusedBody(
  { status, headers, body, renewal }: UpstreamResponse,
  { call }: PassThroughRequest,
  faultOf: Options['faultOf'],
): Promise<AsyncIterable<Buffer>> {
  const { whole, ...beginning } = await peekBody(body, errorLimits);
  const { failure, code } = faultOf({ ...beginning, status, headers, renewal });
  if (failure) {
    body.destroy();
    throw failure;
  }
  if (code !== undefined && /^[\w.-]{1,64}$/.test(code)) call.errorCode = code;
  return whole;
}

/** A body whose break is a GatewayError. */
async function* explaining(body: AsyncIterable<Buffer>, request: PassThroughRequest): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    throw brokenForward(error, request);
  }
}

/**
 * The client's body on its way. It cannot be closed from here: that would close the client's connection, and Azure may
 * respond before it has read everything.
 */
class Upload implements AsyncIterable<Buffer> {
  readonly #body: AsyncIterator<Buffer>;
  /** What broke the client's side. */
  failure: unknown;

  constructor(body: AsyncIterable<Buffer>) {
    this.#body = body[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return { next: () => this.#next() };
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    try {
      return await this.#body.next();
    } catch (error) {
      this.failure = isDisconnect(error) ? new GatewayError('client_gone', 'The client has disconnected.') : error;
      throw this.failure;
    }
  }
}

/** Node's error for a request whose connection has closed. */
function isDisconnect(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
