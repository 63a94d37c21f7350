import nock from 'nock';
import { afterEach, expect } from 'vitest';

export const azureOrigin = 'https://resource-canary.openai.azure.com';

/** What the mocked Azure responds with: an object is sent as JSON, a text as it is. */
export type Reply = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** `false`: neither length nor chunks, so that only the end of the connection ends the body. */
  readonly isFramed?: boolean;
  readonly afterMs?: number;
};

/** One request as it arrived; a JSON body is parsed, any other one is a buffer. */
export type ReceivedRequest = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** All of them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
};

export type MockedAzure = {
  readonly origin: string;
  /** In the order of arrival. */
  readonly requests: readonly ReceivedRequest[];
  /** Their bodies as they came. */
  readonly texts: readonly string[];
  /** Each reply responds to one call of this path and query, in this order, and has to be called for. */
  post(path: string, ...replies: readonly Reply[]): void;
  get(path: string, ...replies: readonly Reply[]): void;
};

const unexpected: string[] = [];
nock.emitter.on('no match', ({ method, url }: Request) => {
  // Calls of the gateway itself pass by here, too.
  if (new URL(url).hostname !== '127.0.0.1') unexpected.push(`${method} ${url}`);
});

afterEach(() => {
  const isDone = nock.isDone();
  const uncalled = nock.pendingMocks();
  nock.cleanAll();
  expect({ isDone, uncalled, unexpected: unexpected.splice(0) }).toEqual({
    isDone: true,
    uncalled: [],
    unexpected: [],
  });
});

/** Responses in the place of Azure, to exactly the calls that a test announces; checked after each test. */
export function mockAzure(origin: string = azureOrigin): MockedAzure {
  const requests: ReceivedRequest[] = [];
  const texts: string[] = [];
  const expectCalls = (method: string, path: string, replies: readonly Reply[]) => {
    for (const reply of replies) {
      nock(origin)
        .intercept(path, method)
        .reply(async (request: Request) => {
          const text = await request.clone().text();
          requests.push(await readRequest(request));
          texts.push(text);
          return responseOf(reply);
        });
    }
  };
  return {
    origin,
    requests,
    texts,
    post: (path, ...replies) => expectCalls('POST', path, replies),
    get: (path, ...replies) => expectCalls('GET', path, replies),
  };
}

async function readRequest(request: Request): Promise<ReceivedRequest> {
  const { pathname, search } = new URL(request.url);
  const bytes = Buffer.from(await request.clone().arrayBuffer());
  return {
    method: request.method,
    path: `${pathname}${search}`,
    headers: Object.fromEntries(request.headers),
    body: bodyOf(bytes, request.headers.get('content-type')),
  };
}

function bodyOf(bytes: Buffer, contentType: string | null): unknown {
  if (bytes.length === 0) return undefined;
  return contentType === 'application/json' ? JSON.parse(bytes.toString()) : bytes;
}

async function responseOf(reply: Reply): Promise<[number, Buffer, Record<string, string>]> {
  const { status = 200, headers = {}, body = '', isFramed = true, afterMs = 0 } = reply;
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
  return [
    status,
    bytes,
    {
      'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
      ...(isFramed && { 'content-length': String(bytes.length) }),
      ...headers,
    },
  ];
}
