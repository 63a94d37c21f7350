import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as open,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';

/** Where a relay holds responses: before their headers, after them, or after most of the body. */
export type Hold = 'headers' | 'body' | 'end';

/** Which responses are held. */
export type Held = {
  readonly hold: Hold;
  readonly matches: (exchange: Exchange) => boolean;
  /** Only the first ones are. */
  readonly atMost?: number;
};

/** A request of the gateway, with the response that the upstream has given. */
export type Exchange = { readonly method: string; readonly url: string; readonly body: Buffer };

const shownShare = 0.75;

/**
 * Stands between the gateway and an upstream. What comes to it is always done by the upstream, and billed there, whatever
 * becomes of the gateway; the responses come as far as the test wants.
 */
export class HoldingRelay implements AsyncDisposable {
  readonly origin: string;
  readonly #server: Server;
  readonly #upstream: string;
  readonly #agent = new Agent({ keepAlive: true });
  #held: Held | undefined;
  #released = Promise.withResolvers<void>();
  /** How many responses are to be held, and how many of them have come to where they are. */
  #count = 0;
  #stopped = 0;
  #arrived = Promise.withResolvers<void>();
  /** Pauses before each step of a response, in milliseconds. */
  pauseMs: () => number = () => 0;

  private constructor(server: Server, upstream: string) {
    this.#server = server;
    this.#upstream = upstream;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      // A gateway that was killed takes nothing more.
      this.#relay(request, response).catch(() => response.destroy());
    });
  }

  static async start(upstream: string): Promise<HoldingRelay> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HoldingRelay(server, upstream);
  }

  hold(held: Held): void {
    this.#held = held;
    this.#count = 0;
    this.#stopped = 0;
  }

  /** Lets everything pass. */
  release(): void {
    this.#held = undefined;
    this.#released.resolve();
    this.#released = Promise.withResolvers<void>();
  }

  /** Resolves once so many responses are held. */
  async holds(count: number): Promise<void> {
    while (this.#stopped < count) await this.#arrived.promise;
  }

  async #relay(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const answer = await this.#ask(request, await buffer(request));
    const body = await buffer(answer);
    const held = this.#holdFor({ method, url, body });
    const stop = (hold: Hold) => (hold === held ? this.#stop() : wait(this.pauseMs()));
    const {
      'transfer-encoding': _encoding,
      'content-length': _length,
      connection: _connection,
      ...headers
    } = answer.headers;
    await stop('headers');
    response.writeHead(answer.statusCode ?? 502, { ...headers, 'content-length': body.length });
    response.flushHeaders();
    await stop('body');
    const shown = Math.floor(body.length * shownShare);
    response.write(body.subarray(0, shown));
    await stop('end');
    response.end(body.subarray(shown));
  }

  #holdFor(exchange: Exchange): Hold | undefined {
    const { hold, matches, atMost = Number.POSITIVE_INFINITY } = this.#held ?? {};
    if (matches === undefined || this.#count >= atMost || !matches(exchange)) return undefined;
    this.#count += 1;
    return hold;
  }

  async #ask({ method, url, headers }: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    const { 'transfer-encoding': _, ...others } = headers;
    const request = open(`${this.#upstream}${url}`, {
      method,
      headers: { ...others, 'content-length': body.length },
      agent: this.#agent,
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }

  async #stop(): Promise<void> {
    const { promise } = this.#released;
    this.#stopped += 1;
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
