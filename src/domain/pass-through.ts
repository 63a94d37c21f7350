import type { IncomingHttpHeaders } from 'node:http';
import type { Attempt } from './image-provider.ts';

/** What is known of one forwarded request. The pass-through writes it; log, metrics and error responses read it. */
export type ForwardedCall = Attempt & {
  /** Azure's own code of an error that the client got in Azure's words. */
  errorCode?: string;
};

/** A client's request of the Responses API, as it arrived: the pass-through checks what of it may be sent. */
export type PassThroughRequest = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `/v1`, such as `/responses/resp_1/cancel`. */
  readonly path: string;
  /** The query with its `?`, or nothing. */
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  /** Read once, while it is sent. It is never closed early, because a response may still have to go to its client. */
  readonly body?: AsyncIterable<Buffer> | undefined;
  /** Ends the request at Azure when its client has disconnected. Its reason is a GatewayError. */
  readonly signal: AbortSignal;
  readonly call: ForwardedCall;
};

/** Azure's response, with nothing but what a client may see. */
export type PassThroughResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as they arrive. Throws a GatewayError where they break off. */
  readonly body: AsyncIterable<Buffer>;
};

/** Forwards requests of the Responses API to one Azure resource. */
export interface PassThrough {
  /**
   * Sends the request once, and never again. Rejects with a GatewayError where it must not be sent, where there was no
   * response, and where the response is a failure that only the gateway's operator can mend; any other error is a response.
   */
  send(request: PassThroughRequest): Promise<PassThroughResponse>;
}
